"""The training loop, readable in one sitting. It knows arrays, a network and a recipe; no files of a study.

Every draw comes from (seed, purpose, epoch, step), the learning rate is a function of the step, and early stopping is
derived from the history. So network, optimiser, best weights, history and the losses of the unfinished epoch are
the WHOLE state: a training that is killed and continued ends with the bits of an undisturbed one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from segstudy.config.recipes import CurveStopping, Recipe
from segstudy.core import rng
from segstudy.runtime.device import choose_precision, compiled, describe
from segstudy.runtime.signals import Interrupted, caught_signals
from segstudy.training import early_stopping
from segstudy.training.checkpoint import Slot
from segstudy.training.checkpoint_checks import problem_of
from segstudy.training.device_data import Rows, drawn, hold, normalisation
from segstudy.training.optim import build_optimiser, hold_still, learning_rate_factor, still
from segstudy.training.reporter import Reporter, diverged, note_start
from segstudy.training.sampler import balanced, epoch_batches
from segstudy.training.step import passes, take_step
from segstudy.training.tasks.base import Task
from segstudy.training.validation import validate

HISTORY = ["epoch", "learning_rate", "train_loss", "val_loss", "val_dice", "slope", "best"]


class Trained(NamedTuple):
    """Best weights (on the CPU), history (columns HISTORY), and the facts that run.json tells."""

    weights: dict[str, Tensor]
    history: pd.DataFrame
    normalisation: dict[str, list[float]]
    stopped: str
    seconds: dict[str, float]
    images_seen: int
    starts: list[dict[str, Any]]
    accumulate: int


def train(  # noqa: PLR0915 - one loop with its state, read from top to bottom
    network: nn.Module,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    images: np.ndarray,
    masks: np.ndarray,
    rois: np.ndarray,
    train_rows: Rows,
    val_rows: Rows,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    slot: Slot | None = None,
    samples: Sequence[str] | None = None,
    strata: Sequence[str] | None = None,
    scaling: Mapping[str, list[float]] | None = None,
    task: Task | None = None,
    taken: Collection[str] = (),
) -> Trained:
    """Train `network`; return the weights of its best epoch: the lowest validation loss, the earlier of equals.

    Without validation images these are the last weights, and the history has no validation figures.

    Args:
        network: (B, C, H, W) -> logits (B, K, H, W); changed in place, at the end it holds the LAST weights. If it has
            a method `all_logits`, images -> several logits, training steps take the mean of their losses.
        loss: f(logits (B, K, H, W), target (B, H, W), roi (B, H, W)) -> scalar.
        images: uint8 (N, H, W, C); may be memory-mapped, as the next two.
        masks: uint8 (N, H, W), class ids.
        rois: uint8 (N, H, W), 1 where pixels count.
        train_rows: to learn from, `crops_per_image` times an epoch each, or `crops_per_epoch` times in all; a row given
            twice counts twice.
        val_rows: to choose the best epoch; may be empty.
        recipe: how. Threads and deterministic algorithms are the business of `precision.configure`.
        seed: of every random decision but the network's first weights, which it brings along.
        device: where to train.
        slot: where the state is kept, and from where it is continued if it holds one.
        samples: name of each row, for messages.
        strata: of each of `train_rows`, to be visited equally often; None leaves them as they are.
        scaling: `mean` and `std` that the network's first weights were learned with; None takes the training images'.
        task: what is learned; None is masks from labelled images.
        taken: names of the tensors that were not started from chance, for the recipe's `transfer`.

    Raises:
        StudyError: a loss is not finite.
        Interrupted: a signal asked to stop; the state is saved.
    """
    task, scaling = task or Task(), dict(scaling or normalisation(images, rois, train_rows))
    batch_of = hold(images, masks, rois, device)
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    teaching = getattr(network, "all_logits", network)  # some networks have a loss on earlier outputs too
    learning = compiled(teaching) if recipe.compile else teaching
    arithmetic = choose_precision(recipe.precision, device)
    through = passes(scaling, device, arithmetic)
    optimiser, held = build_optimiser(network, recipe, device, taken), still(network, recipe, taken)
    rates = [group["lr"] for group in optimiser.param_groups]  # taken before a saved state brings later ones

    def charge(what: str, started: float) -> float:
        now = time.perf_counter()
        seconds[what] += now - started
        return now

    def batches_of(epoch: int) -> list[np.ndarray]:
        rows = train_rows if strata is None else balanced(train_rows, strata, seed, epoch)
        crops = task.crops(rows, recipe.crops_per_image, epoch)
        return epoch_batches(crops, recipe.batch_size, 1, seed, epoch, recipe.crops_per_epoch)

    sizes = [len(rows) for rows in batches_of(1)]
    steps, canvas = len(sizes), (images.shape[1], images.shape[2])
    together = max(1, max(max(sizes) * math.prod(recipe.crop or canvas), 2**18) // math.prod(canvas))
    losses = torch.full((steps,), math.nan, device=device)
    state: dict[str, Any] = {"epoch": 1, "step": 0, "history": [], "best": {}, "starts": []}
    state |= {"accumulate": recipe.accumulate, "seconds": dict.fromkeys(("steps", "validation", "saving"), 0.0)}
    task.begin(network, through, device, steps)
    fresh = {**state, "network": network.state_dict(), "losses": losses, "task": task.state()}
    best = task.shown(network).state_dict()
    if slot and (saved := slot.load(lambda found: problem_of(found, fresh, network, optimiser, best, HISTORY))):
        state = saved
        network.load_state_dict(state.pop("network"))
        optimiser.load_state_dict(state.pop("optimiser"))
        losses.copy_(state.pop("losses"))
        task.restore(state.pop("task"))
    note_start(state, describe(device, arithmetic))
    history, seconds = state["history"], state["seconds"]
    early, report = recipe.early_stopping, Reporter(recipe.epochs, steps, sum(sizes), state)
    window = (early.curve or CurveStopping()).window
    forward, shown = through(learning), task.shown(network)

    def factor(step: int) -> float:
        done = (state["epoch"] - 1) * steps + step
        return learning_rate_factor(recipe.schedule, done, recipe.epochs, steps)

    def finite_losses() -> list[float]:
        values = losses.tolist()[: state["step"]]  # waits for the device: called once an epoch, and to save
        bad = next((i for i, value in enumerate(values) if not math.isfinite(value)), None)
        if bad is not None:
            where = f"step {bad + 1}, learning rate {max(rates) * factor(bad):.3g}"
            diverged(values[bad], where, batches_of(state["epoch"])[bad], samples, state, slot)
        return values

    def pause(keep: bool = False) -> None:
        asked = stop()
        if slot and (keep or asked or slot.due()):
            finite_losses()
            weights = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
            slot.save({**state, **weights, "losses": losses, "task": task.state()})
        if asked:
            end = "state saved; run the same command to continue" if slot else "nothing is saved"
            raise Interrupted(f"stopped by {asked} at epoch {state['epoch']} step {state['step']}; {end}")

    with caught_signals() as stop:
        while state["epoch"] <= recipe.epochs and not early_stopping.reason(history, early):
            epoch, started = state["epoch"], time.perf_counter()
            network.train()
            hold_still(held, epoch <= recipe.transfer.freeze)
            for step, rows in enumerate(batches_of(epoch)):
                if step < state["step"]:
                    continue  # done before the interruption
                draws = rng.generator(seed, "augment", epoch, step)
                batch = task.prepared(drawn(batch_of, rows, canvas, recipe, draws, task.places(rows)), epoch, step)
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * factor(step)
                draw, parts = rng.number(seed, "dropout", epoch, step), state["accumulate"]
                # The loss stays on the device: to read it here would make the host wait for every step.
                losses[step], state["accumulate"] = take_step(
                    network, forward, loss, optimiser, batch, recipe, parts, draw, task.beside(epoch, step)
                )
                task.after_step(network, (epoch - 1) * steps + step + 1)
                state["step"] = step + 1
                started = charge("steps", started)
                pause(keep=state["accumulate"] > parts)  # memory may be free again when a killed training goes on
                started = charge("saving", started)
                report.step(epoch, step + 1)
            train_loss = math.fsum(x * n for x, n in zip(finite_losses(), sizes, strict=True)) / sum(sizes)
            started = charge("steps", started)

            row = dict.fromkeys(HISTORY, math.nan) | {"epoch": epoch, "train_loss": train_loss, "best": 0}
            row["learning_rate"] = max(rates) * factor(steps - 1)
            row["slope"] = early_stopping.curve_slope([r["train_loss"] for r in [*history, row]], window)
            last = epoch == recipe.epochs or early_stopping.reason([*history, row], early)
            if len(val_rows) and (last or epoch % recipe.validate_every == 0):
                shown.eval()
                at_once = max(1, together * recipe.accumulate // state["accumulate"])
                scores = validate(through(shown), loss, batch_of, val_rows, at_once, stop, task)
                row["val_loss"], row["val_dice"] = scores
                pause()
                if not math.isfinite(row["val_loss"]):
                    diverged(row["val_loss"], "the validation", val_rows, samples, state, slot)
                row["best"] = int(row["val_loss"] < early_stopping.best_loss(history))
            elif last:
                row["best"] = 1  # there is nothing to choose by
            if row["best"]:
                state["best"] = {k: v.to("cpu", copy=True) for k, v in shown.state_dict().items()}
            charge("validation", started)
            history.append(row)
            state["epoch"], state["step"] = epoch + 1, 0
            report.epoch(row)

    stopped = early_stopping.reason(history, early) or "all epochs done"
    table, seen = pd.DataFrame(history, columns=HISTORY), len(history) * sum(sizes)
    return Trained(state["best"], table, scaling, stopped, seconds, seen, state["starts"], state["accumulate"])
