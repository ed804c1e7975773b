"""What a training says while it runs: where it starts, how it goes, and why it cannot go on."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from segstudy.batches import Rows
from segstudy.checkpoint import Slot, save_model
from segstudy.errors import StudyError
from segstudy.progress import clock

logger = logging.getLogger("segstudy")


def note_start(state: dict[str, Any], environment: Mapping[str, Any]) -> None:
    """Append this start to the state; warn where a training goes on under other conditions than before."""
    starts = state["starts"]
    if starts:
        logger.info("continuing at epoch %d, after step %d", state["epoch"], state["step"])
        changed = [key for key, value in environment.items() if starts[-1].get(key) != value]
        for key in changed:
            text = "%s is %s, was %s: the result is valid, but not bit for bit that of an undisturbed run"
            logger.warning(text, key, environment[key], starts[-1].get(key))
    starts.append({"epoch": state["epoch"], "step": state["step"], **environment})


def reporter(epochs: int, images: int) -> Callable[[Mapping[str, Any]], None]:
    """Return a function that logs one line an epoch, given its row of the history.

    Every line goes to the log file (level DEBUG); at most one in ten seconds, the first and the last also go to the
    terminal (INFO). `images` is what an epoch trains on.
    """
    begun = last = time.monotonic()
    shown, done = 0.0, 0

    def report(row: Mapping[str, Any]) -> None:
        nonlocal last, shown, done
        now, done = time.monotonic(), done + 1
        left = (now - begun) / done * (epochs - row["epoch"])
        level = logging.INFO if now - shown >= 10 or row["epoch"] == epochs else logging.DEBUG
        shown = now if level == logging.INFO else shown
        validated = not math.isnan(row["val_loss"])
        validation = f"val loss {row['val_loss']:.4g}, val Dice {row['val_dice']:.4f}" if validated else "not validated"
        logger.log(
            level,
            "epoch %d/%d: train loss %.4g, %s%s, rate %.3g, %.1f images/s, %s left",
            *(row["epoch"], epochs, row["train_loss"], validation, " (best)" if row["best"] else ""),
            *(row["learning_rate"], images / max(now - last, 1e-9), clock(left)),
        )
        last = now

    return report


def diverged(
    value: float,
    where: str,
    rows: Rows,
    samples: Sequence[str] | None,
    state: Mapping[str, Any],
    slot: Slot | None,
) -> NoReturn:
    """Keep the best weights so far beside the state, and raise the `StudyError` that says what happened.

    Args:
        value: the loss that is not finite.
        where: in the epoch.
        rows: of the images that it was computed from.
        samples: name of each row.
        state: of the training.
        slot: where the state is kept.
    """
    kept = ""
    if slot and state["best"]:
        save_model(slot.folder / "best.safetensors", state["best"], {"epochs": state["epoch"] - 1})
        kept = f"; the best weights so far are kept in {slot.folder / 'best.safetensors'}"
    names = [str(row) if samples is None else samples[row] for row in rows]
    raise StudyError(
        f"the loss is {value}: the training has diverged",
        where=f"epoch {state['epoch']}, {where}; samples {', '.join(names[:16])}{' ...' * (len(names) > 16)}",
        remedy="lower the recipe's learning_rate, set its gradient_clip (for instance 1.0) or precision: fp32, or look "
        f"at these samples{kept}",
    )
