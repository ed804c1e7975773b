"""The training loop. It knows arrays, a network and a recipe; no files of a study.

Every draw comes from (seed, purpose, epoch, step), the learning rate is a function of the step, and early stopping is
derived from the history. So `TrainingState` is the WHOLE state: a training that is killed and continued ends with the
bits of an undisturbed one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from segstudy.config.recipes import CurveStopping, EarlyStopping, Recipe
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


def train(  # noqa: PLR0915 - one loop, read from top to bottom
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
        device: of the training.
        checkpoint: where the state is saved; a state that it holds is continued.

    Raises:
        StudyError: a loss is not finite.
        Interrupted: a signal asked to stop; the state is saved.
    """
    task, stopping = inputs.task, recipe.early_stopping
    images, _, rois = inputs.arrays
    scaling = dict(inputs.scaling or normalisation(images, rois, inputs.train_rows))
    data = DeviceData(*inputs.arrays, device)
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    amp_dtype = choose_precision(recipe.precision, device)
    to_forward = partial(make_forward, scaling=scaling, device=device, amp_dtype=amp_dtype)
    train_model = getattr(model, "all_logits", model)  # some networks have a loss on earlier outputs too
    compiled_model = compiled(train_model) if recipe.compile else train_model
    optimizer = build_optimizer(model, recipe, device, inputs.pretrained_names)
    frozen = frozen_parts(model, recipe, inputs.pretrained_names)

    sampler = Sampler(inputs.train_rows, inputs.strata, task, recipe, seed)
    sizes = [len(rows) for rows in sampler.epoch(1)]
    steps = len(sizes)
    schedule = partial(learning_rate_factor, recipe.schedule, epochs=recipe.epochs, steps_per_epoch=steps)
    task.begin(model, to_forward, device, steps, recipe.ema)
    losses = torch.full((steps,), math.nan, device=device)
    state = TrainingState(model, optimizer, task, losses, recipe.accumulate)
    published_like = task.eval_model(model).state_dict()
    problem_with = partial(
        problem_of, fresh=state.state_dict(), model=model, optimizer=optimizer, best=published_like, columns=HISTORY
    )
    if checkpoint and (saved := checkpoint.load(problem_with)):
        state.load_state_dict(saved)
    state.note_start(describe(device, amp_dtype))
    report = Reporter(recipe.epochs, steps, sum(sizes), state)
    check_losses = partial(finite_losses, state, schedule, sampler, inputs.names, checkpoint)

    forward, eval_model = to_forward(compiled_model), task.eval_model(model)
    eval_forward = to_forward(eval_model)
    val_rows, val_windows, val_batch_size = images_to_validate(
        inputs.val_rows, recipe, data.canvas, max(sizes), task, seed
    )
    with caught_signals() as stop:
        while state.epoch <= recipe.epochs and not early_stopping.reason(state.history, stopping):
            epoch = state.epoch
            model.train()
            set_frozen(frozen, epoch <= recipe.transfer.freeze)
            for step, rows in state.remaining(sampler.epoch(epoch)):
                with state.timed("steps"):
                    set_lr(optimizer, schedule(state.global_step(step)))
                    draws, parts = rng.generator(seed, "augment", epoch, step), state.accumulate
                    batch = augmented_batch(data, rows, recipe, draws, task.image_boxes(rows))
                    terms = [(loss, task.training_batch(batch, epoch, step)), *task.extra_losses(epoch, step)]
                    # The loss stays on the device: to read it here would make the host wait for every step.
                    state.losses[step], state.accumulate = training_step(
                        model, forward, optimizer, terms, recipe, parts, rng.number(seed, "dropout", epoch, step)
                    )
                    del batch, terms  # memory for the next
                    state.step = step + 1
                    task.after_step(model, state.global_step(state.step))
                with state.timed("saving"):
                    # A larger number of parts is saved at once: the continued training may have more memory.
                    save_if_due(checkpoint, state, check_losses, stop, always=state.accumulate > parts)
                report.step(epoch, state.step)

            with state.timed("steps"):
                train_loss = math.fsum(x * n for x, n in zip(check_losses(), sizes, strict=True)) / sum(sizes)
            rate = highest_lr(optimizer, schedule(state.global_step(steps - 1)))
            row = history_row(state, train_loss, rate, stopping)
            last = epoch == recipe.epochs or early_stopping.reason([*state.history, row], stopping)
            with state.timed("validation"):
                if len(inputs.val_rows) and (last or epoch % recipe.validate_every == 0):
                    eval_model.eval()
                    batch_size = max(1, val_batch_size * recipe.accumulate // state.accumulate)
                    scores = validate(eval_forward, loss, data, val_rows, batch_size, stop, task, val_windows)
                    row["val_loss"], row["val_dice"] = scores
                    save_if_due(checkpoint, state, check_losses, stop)
                    if not math.isfinite(row["val_loss"]):
                        raise_diverged(
                            row["val_loss"], "the validation", inputs.val_rows, inputs.names, state, checkpoint
                        )
                    row["best"] = int(row["val_loss"] < early_stopping.best_loss(state.history))
                if recipe.keep == "last" or not len(inputs.val_rows):
                    row["best"] = int(bool(last))  # no validation loss chooses an epoch
                if row["best"]:
                    state.best = {k: v.to("cpu", copy=True) for k, v in eval_model.state_dict().items()}
            state.finish_epoch(row)
            report.epoch(row)

    return Trained(
        weights=state.best,
        history=pd.DataFrame(state.history, columns=HISTORY),
        normalisation=scaling,
        stopped=early_stopping.reason(state.history, stopping) or "all epochs done",
        seconds=state.seconds,
        images_seen=len(state.history) * sum(sizes),
        starts=state.starts,
        accumulate=state.accumulate,
    )


def history_row(state: TrainingState, train_loss: float, rate: float, stopping: EarlyStopping) -> dict[str, Any]:
    """Return the row of the epoch in progress, not validated yet."""
    row = dict.fromkeys(HISTORY, math.nan) | {"epoch": state.epoch, "train_loss": train_loss, "best": 0}
    row["learning_rate"] = rate
    curve = [*(done["train_loss"] for done in state.history), train_loss]
    # The history has a slope whether or not it stops the training.
    row["slope"] = early_stopping.curve_slope(curve, (stopping.curve or CurveStopping()).window)
    return row


def finite_losses(
    state: TrainingState,
    schedule: Callable[[int], float],
    sampler: Sampler,
    names: Sequence[str] | None,
    checkpoint: ResumeCheckpoint | None,
) -> list[float]:
    """Return the losses of the epoch's steps so far; raise a StudyError that names the first batch without one.

    It waits for the device: to be called once an epoch, and before a save.
    """
    values = state.losses.tolist()[: state.step]
    for step, value in enumerate(values):
        if not math.isfinite(value):
            rate = highest_lr(state.optimizer, schedule(state.global_step(step)))
            rows = sampler.epoch(state.epoch)[step]
            raise_diverged(value, f"step {step + 1}, learning rate {rate:.3g}", rows, names, state, checkpoint)
    return values


def save_if_due(
    checkpoint: ResumeCheckpoint | None,
    state: TrainingState,
    check_losses: Callable[[], object],
    stop: Callable[[], str],
    always: bool = False,
) -> None:
    """Save the state if it is time, if `always`, or if a signal asks to stop; in that case raise `Interrupted`."""
    signal = stop()
    if checkpoint and (always or signal or checkpoint.due()):
        check_losses()  # nothing could continue from a loss that is not finite
        checkpoint.save(state.state_dict())
    if signal:
        end = "state saved; run the same command to continue" if checkpoint else "nothing is saved"
        raise Interrupted(f"stopped by {signal} at epoch {state.epoch} step {state.step}; {end}")
