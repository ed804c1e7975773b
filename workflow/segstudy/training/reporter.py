"""What a training says while it runs: where it starts, how it goes, and why it cannot go on."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from segstudy.core.errors import StudyError
from segstudy.core.progress import clock, tell
from segstudy.models.model_file import save_model
from segstudy.training.checkpoint import Slot
from segstudy.training.device_data import Rows

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


class Reporter:
    """Tells how a training goes: after every step whoever watches, after every epoch the log too.

    Every epoch's line goes to the log file (level DEBUG); at most one in ten seconds, the first and the last also go to
    the terminal (INFO). No loss of a step is told: to read one would make the host wait for the device.

    Args:
        epochs: of the whole training.
        steps: of an epoch.
        images: that an epoch trains on.
        state: of the training: `epoch`, `step`, `history`.
    """

    def __init__(self, epochs: int, steps: int, images: int, state: Mapping[str, Any]) -> None:
        self.epochs, self.steps, self.images = epochs, steps, images
        # Epochs, with their parts, that were done when this process began, and at the last line.
        self.first = self.before = state["epoch"] - 1 + state["step"] / steps
        self.begun = self.last = time.monotonic()
        self.shown = 0.0
        self.facts: dict[str, Any] = {"epochs": epochs, "steps": steps, "images_per_second": None}
        self.facts |= dict.fromkeys(("train_loss", "val_loss", "val_dice"))
        for row in state["history"]:
            self._note(row)

    def step(self, epoch: int, step: int) -> None:
        """Tell of step `step` of epoch `epoch` (both from 1)."""
        place = epoch - 1 + step / self.steps
        rate = self.facts["images_per_second"] or self._rate(place, self.first, self.begun)
        told = {"epoch": epoch, "step": step, "images_per_second": rate, "seconds_left": self._left(place)}
        tell(self.facts | told)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Log an epoch, given its row of the history."""
        now = time.monotonic()
        self.facts["images_per_second"] = self._rate(row["epoch"], self.before, self.last)
        self._note(row)
        level = logging.INFO if now - self.shown >= 10 or row["epoch"] == self.epochs else logging.DEBUG
        self.shown = now if level == logging.INFO else self.shown
        validation = "not validated" if math.isnan(row["val_loss"]) else f"val loss {row['val_loss']:.4g}"
        if not math.isnan(row["val_dice"]):  # where no masks are predicted there is none
            validation += f", val Dice {row['val_dice']:.4f}"
        logger.log(
            level,
            "epoch %d/%d: train loss %.4g, %s%s, rate %.3g, %.1f images/s, %s left",
            *(row["epoch"], self.epochs, row["train_loss"], validation, " (best)" if row["best"] else ""),
            *(row["learning_rate"], self.facts["images_per_second"], clock(self._left(row["epoch"]))),
            extra={"epoch": row["epoch"]},  # so that a terminal which shows it in another way can leave out the line
        )
        self.last, self.before = now, row["epoch"]

    def _rate(self, place: float, before: float, since: float) -> float:
        return (place - before) * self.images / max(time.monotonic() - since, 1e-9)

    def _left(self, place: float) -> float:
        """Return the seconds that the rest takes at the speed of this process so far, validations included."""
        passed = time.monotonic() - self.begun
        return passed / max(place - self.first, 1e-9) * (self.epochs - place)

    def _note(self, row: Mapping[str, Any]) -> None:
        """Keep the figures of an epoch; those of the last validation stay until the next."""
        known = {key: row[key] for key in ("train_loss", "val_loss", "val_dice")}
        self.facts |= {key: value for key, value in known.items() if not math.isnan(value)}


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
