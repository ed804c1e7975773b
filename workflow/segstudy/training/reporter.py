"""Report the progress of a training, and the error that ends it when it diverges."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from segstudy.core.errors import StudyError
from segstudy.core.progress import clock, report_progress
from segstudy.models.model_file import save_model
from segstudy.training.checkpoint import ResumeCheckpoint
from segstudy.training.device_data import Rows
from segstudy.training.state import TrainingState

logger = logging.getLogger("segstudy")


class Reporter:
    """Reports progress to watchers after every step and to the log after every epoch.

    Every epoch's line goes to the log file (level DEBUG); at most one in ten seconds, the first and the last also go to
    the terminal (INFO). The loss of a step is not reported: to read it would make the host wait for the device.

    Args:
        images: that an epoch trains on.
    """

    def __init__(self, epochs: int, steps: int, images: int, state: TrainingState) -> None:
        self.epochs, self.steps, self.images = epochs, steps, images
        # Epochs, with their parts, that were done when this process began, and at the last line of the log.
        self.first = self.before = state.epoch - 1 + state.step / steps
        self.begun = self.last = time.monotonic()
        self.last_info = 0.0
        self.facts: dict[str, Any] = {"epochs": epochs, "steps": steps, "images_per_second": None}
        self.facts |= dict.fromkeys(("train_loss", "val_loss", "val_dice"))
        for row in state.history:
            self._note(row)

    def step(self, epoch: int, step: int) -> None:
        """Report step `step` of epoch `epoch` (both from 1)."""
        epochs_done = epoch - 1 + step / self.steps
        rate = self.facts["images_per_second"] or self._rate(epochs_done, self.first, self.begun)
        left = self._seconds_left(epochs_done)
        report_progress(self.facts | {"epoch": epoch, "step": step, "images_per_second": rate, "seconds_left": left})

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Log an epoch, given its row of the history."""
        now = time.monotonic()
        self.facts["images_per_second"] = self._rate(row["epoch"], self.before, self.last)
        self._note(row)
        level = logging.INFO if now - self.last_info >= 10 or row["epoch"] == self.epochs else logging.DEBUG
        self.last_info = now if level == logging.INFO else self.last_info
        validation = "not validated" if math.isnan(row["val_loss"]) else f"val loss {row['val_loss']:.4g}"
        if not math.isnan(row["val_dice"]):  # a task without masks has no Dice
            validation += f", val Dice {row['val_dice']:.4f}"
        logger.log(
            level,
            "epoch %d/%d: train loss %.4g, %s%s, rate %.3g%s",
            *(row["epoch"], self.epochs, row["train_loss"], validation, " (best)" if row["best"] else ""),
            *(row["learning_rate"], self._speed(row["epoch"])),
            extra={"epoch": row["epoch"]},  # a terminal with a progress line leaves this one out
        )
        self.last, self.before = now, row["epoch"]

    def _rate(self, epochs_done: float, before: float, since: float) -> float | None:
        """Return images a second; None where this process has trained on none, as after the last step of an epoch."""
        return (
            (epochs_done - before) * self.images / max(time.monotonic() - since, 1e-9) if epochs_done > before else None
        )

    def _seconds_left(self, epochs_done: float) -> float | None:
        """Return the seconds to the end at the speed of this process so far, validations included; None as `_rate`."""
        if epochs_done <= self.first:
            return None
        return (time.monotonic() - self.begun) / (epochs_done - self.first) * (self.epochs - epochs_done)

    def _speed(self, epochs_done: float) -> str:
        left = self._seconds_left(epochs_done)
        return "" if left is None else f", {self.facts['images_per_second']:.1f} images/s, {clock(left)} left"

    def _note(self, row: Mapping[str, Any]) -> None:
        """Keep the figures of an epoch; figures of a validation stay until the next."""
        figures = {key: row[key] for key in ("train_loss", "val_loss", "val_dice")}
        self.facts |= {key: value for key, value in figures.items() if not math.isnan(value)}


def raise_diverged(
    value: float,
    where: str,
    rows: Rows,
    samples: Sequence[str] | None,
    state: TrainingState,
    checkpoint: ResumeCheckpoint | None,
) -> NoReturn:
    """Save the best weights so far beside the resume state, and raise the `StudyError` of a training that diverged.

    Args:
        where: in the epoch.
        rows: of the images that it was computed from.
        samples: name of each row.
    """
    kept = ""
    if checkpoint and state.best:
        path = checkpoint.folder / "best.safetensors"
        save_model(path, state.best, {"epochs": state.epoch - 1})
        kept = f"; the best weights so far are kept in {path}"
    names = [str(row) if samples is None else samples[row] for row in rows]
    raise StudyError(
        f"the loss is {value}: the training has diverged",
        where=f"epoch {state.epoch}, {where}; samples {', '.join(names[:16])}{' ...' * (len(names) > 16)}",
        remedy="lower the recipe's learning_rate, set its gradient_clip (for instance 1.0) or precision: fp32, or look "
        f"at these samples{kept}",
    )
