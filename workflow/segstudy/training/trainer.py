"""The training loop. It knows arrays, a network and a recipe; no files of a study.

Every draw comes from (seed, purpose, epoch, step), the learning rate is a function of the step, and early stopping is
derived from the history. So `TrainingState` is the WHOLE state: a training that is killed and continued ends with the
bits of an undisturbed one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from segstudy.config.recipes import CurveStopping, Recipe
from segstudy.core import rng
from segstudy.losses.build import Loss
from segstudy.runtime.device import choose_precision, compiled, describe
from segstudy.runtime.signals import Interrupted, caught_signals
from segstudy.training import early_stopping
from segstudy.training.checkpoint import ResumeCheckpoint
from segstudy.training.checkpoint_checks import problem_of
from segstudy.training.device_data import DeviceData, augmented_batch, normalisation
from segstudy.training.inputs import TrainingInputs
from segstudy.training.optim import build_optimizer, frozen_parts, highest_lr, learning_rate_factor, set_frozen, set_lr
from segstudy.training.reporter import Reporter, raise_diverged
from segstudy.training.sampler import Sampler
from segstudy.training.state import TrainingState
from segstudy.training.step import make_forward, training_step
from segstudy.training.validation import images_to_validate, validate

HISTORY = ["epoch", "learning_rate", "train_loss", "val_loss", "val_dice", "slope", "best"]


class Trained(NamedTuple):
    """Best weights (on the CPU), history (columns HISTORY), and facts for run.json."""

    weights: dict[str, Tensor]
    history: pd.DataFrame
    normalisation: dict[str, list[float]]
    stopped: str
    seconds: dict[str, float]
    images_seen: int
    starts: list[dict[str, Any]]
    accumulate: int


class Training:
    """What the loop works with; after the start its `state` alone changes. The arguments are those of `train`."""

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        inputs: TrainingInputs,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        checkpoint: ResumeCheckpoint | None,
    ) -> None:
        self.loss, self.inputs, self.recipe, self.seed, self.checkpoint = loss, inputs, recipe, seed, checkpoint
        task, (images, _, rois) = inputs.task, inputs.arrays
        self.scaling = dict(inputs.scaling or normalisation(images, rois, inputs.train_rows))
        self.data = DeviceData(*inputs.arrays, device)
        model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        amp_dtype = choose_precision(recipe.precision, device)
        to_forward = partial(make_forward, scaling=self.scaling, device=device, amp_dtype=amp_dtype)
        train_model = getattr(model, "all_logits", model)  # some networks have a loss on earlier outputs too
        self.forward = to_forward(compiled(train_model) if recipe.compile else train_model)
        optimizer = build_optimizer(model, recipe, device, inputs.pretrained_names)
        self.frozen = frozen_parts(model, recipe, inputs.pretrained_names)

        self.sampler = Sampler(inputs.train_rows, inputs.strata, task, recipe, seed)
        self.sizes = [len(rows) for rows in self.sampler.epoch(1)]  # of the batches of an epoch
        steps = len(self.sizes)
        self.schedule = partial(learning_rate_factor, recipe.schedule, epochs=recipe.epochs, steps_per_epoch=steps)
        task.begin(model, to_forward, device, steps, recipe.ema)
        self.eval_model = task.eval_model(model)  # that is validated and published
        self.eval_forward = to_forward(self.eval_model)
        self.validated = images_to_validate(inputs.val_rows, recipe, self.data.canvas, max(self.sizes), task, seed)

        losses = torch.full((steps,), math.nan, device=device)
        self.state = TrainingState(model, optimizer, task, losses, recipe.accumulate)
        problem = partial(
            problem_of,
            fresh=self.state.state_dict(),
            model=model,
            optimizer=optimizer,
            best=self.eval_model.state_dict(),
            columns=HISTORY,
        )
        if checkpoint and (saved := checkpoint.load(problem)):
            self.state.load_state_dict(saved)
        self.state.note_start(describe(device, amp_dtype))
        self.report = Reporter(recipe.epochs, steps, sum(self.sizes), self.state)


def train(
    model: nn.Module,
    loss: Loss,
    inputs: TrainingInputs,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    checkpoint: ResumeCheckpoint | None = None,
) -> Trained:
    """Train `model`; return the weights of its best epoch: the lowest validation loss, the earlier of equals.

    With `keep: last`, and without validation images, these are the last weights; without validation images the history
    has no validation figures.

    Args:
        model: (B, C, H, W) -> logits (B, K, H, W); changed in place, at the end it holds the LAST weights. If it has
            a method `all_logits`, images -> several logits, training steps take the mean of their losses.
        loss: f(logits (B, K, H, W), target (B, H, W), roi (B, H, W)) -> scalar.
        inputs: arrays, rows and task. An epoch has `crops_per_image` crops of each training row, or `crops_per_epoch`.
        recipe: of the training. Threads and deterministic algorithms are set by `device.configure`.
        seed: of every random decision but the first weights, which the model brings along.
        checkpoint: where the state is saved; a state that it holds is continued.

    Raises:
        StudyError: a loss is not finite.
        Interrupted: a signal asked to stop; the state is saved.
    """
    run = Training(model, loss, inputs, recipe, seed, device, checkpoint)
    state, stopping = run.state, recipe.early_stopping
    with caught_signals() as stop:
        while state.epoch <= recipe.epochs and not early_stopping.reason(state.history, stopping):
            row = train_epoch(run, stop)
            last = state.epoch == recipe.epochs or bool(early_stopping.reason([*state.history, row], stopping))
            with state.timed("validation"):
                validate_epoch(run, row, last, stop)
                if row["best"]:
                    state.best = {k: v.to("cpu", copy=True) for k, v in run.eval_model.state_dict().items()}
            state.finish_epoch(row)
            run.report.epoch(row)
    return Trained(
        weights=state.best,
        history=pd.DataFrame(state.history, columns=HISTORY),
        normalisation=run.scaling,
        stopped=early_stopping.reason(state.history, stopping) or "all epochs done",
        seconds=state.seconds,
        images_seen=len(state.history) * sum(run.sizes),
        starts=state.starts,
        accumulate=state.accumulate,
    )


def train_epoch(run: Training, stop: Callable[[], str]) -> dict[str, Any]:
    """Take the steps that are left of the epoch in progress; return its row of the history, not validated yet."""
    state, recipe, task, seed = run.state, run.recipe, run.inputs.task, run.seed
    epoch = state.epoch
    state.model.train()
    set_frozen(run.frozen, epoch <= recipe.transfer.freeze)
    for step, rows in state.remaining(run.sampler.epoch(epoch)):
        with state.timed("steps"):
            set_lr(state.optimizer, run.schedule(state.global_step(step)))
            draws, dropout = rng.generator(seed, "augment", epoch, step), rng.number(seed, "dropout", epoch, step)
            batch = augmented_batch(run.data, rows, recipe, draws, task.image_boxes(rows))
            terms = [(run.loss, task.training_batch(batch, epoch, step)), *task.extra_losses(epoch, step)]
            # The loss stays on the device: to read it here would make the host wait for every step.
            parts = state.accumulate
            state.losses[step], state.accumulate = training_step(
                state.model, run.forward, state.optimizer, terms, recipe, parts, dropout
            )
            del batch, terms  # memory for the next
            state.step = step + 1
            task.after_step(state.model, state.global_step(state.step))
        with state.timed("saving"):
            # A larger number of parts is saved at once: the continued training may have more memory.
            save_if_due(run, stop, always=state.accumulate > parts)
        run.report.step(epoch, state.step)

    with state.timed("steps"):
        losses = finite_losses(run)
    train_loss = math.fsum(x * n for x, n in zip(losses, run.sizes, strict=True)) / sum(run.sizes)
    row = dict.fromkeys(HISTORY, math.nan) | {"epoch": epoch, "train_loss": train_loss, "best": 0}
    row["learning_rate"] = highest_lr(state.optimizer, run.schedule(state.global_step(len(run.sizes) - 1)))
    curve = [*(done["train_loss"] for done in state.history), train_loss]
    # The history has a slope whether or not it stops the training.
    row["slope"] = early_stopping.curve_slope(curve, (recipe.early_stopping.curve or CurveStopping()).window)
    return row


def validate_epoch(run: Training, row: dict[str, Any], last: bool, stop: Callable[[], str]) -> None:
    """Write into an epoch's row its validation, if one is due, and whether it is the best epoch so far."""
    state, recipe, inputs = run.state, run.recipe, run.inputs
    if len(inputs.val_rows) and (last or state.epoch % recipe.validate_every == 0):
        run.eval_model.eval()
        rows, windows, most = run.validated
        batch_size = max(1, most * recipe.accumulate // state.accumulate)
        scores = validate(run.eval_forward, run.loss, run.data, rows, batch_size, stop, inputs.task, windows)
        row["val_loss"], row["val_dice"] = scores
        save_if_due(run, stop)
        if not math.isfinite(row["val_loss"]):
            problem = row["val_loss"], "the validation", inputs.val_rows
            raise_diverged(*problem, inputs.names, state, run.checkpoint)
        row["best"] = int(row["val_loss"] < early_stopping.best_loss(state.history))
    if recipe.keep == "last" or not len(inputs.val_rows):
        row["best"] = int(last)  # no validation loss chooses an epoch


def finite_losses(run: Training) -> list[float]:
    """Return the losses of the epoch's steps so far; raise a StudyError that names the first batch without one.

    It waits for the device: to be called once an epoch, and before a save.
    """
    state = run.state
    values = state.losses.tolist()[: state.step]
    for step, value in enumerate(values):
        if not math.isfinite(value):
            rate = highest_lr(state.optimizer, run.schedule(state.global_step(step)))
            rows, where = run.sampler.epoch(state.epoch)[step], f"step {step + 1}, learning rate {rate:.3g}"
            raise_diverged(value, where, rows, run.inputs.names, state, run.checkpoint)
    return values


def save_if_due(run: Training, stop: Callable[[], str], always: bool = False) -> None:
    """Save the state if it is time, if `always`, or if a signal asks to stop; in that case raise `Interrupted`."""
    signal, state, checkpoint = stop(), run.state, run.checkpoint
    if checkpoint and (always or signal or checkpoint.due()):
        finite_losses(run)  # nothing could continue from a loss that is not finite
        checkpoint.save(state.state_dict())
    if signal:
        end = "state saved; run the same command to continue" if checkpoint else "nothing is saved"
        raise Interrupted(f"stopped by {signal} at epoch {state.epoch} step {state.step}; {end}")
