"""The whole state of a training: all that a continued training needs to end with the bits of an undisturbed one."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segstudy.training.tasks.base import Task

logger = logging.getLogger("segstudy")

SAVED_FIELDS = ("epoch", "step", "accumulate", "history", "best", "starts", "seconds")


@dataclass
class TrainingState:
    """Where a training is, and what it has learned. Every random draw and learning rate follows from epoch and step."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    task: Task
    losses: Tensor  # of the epoch's steps, on the device: to read one makes the host wait
    accumulate: int  # parts of a batch; grows where memory does not suffice
    epoch: int = 1  # the one in progress
    step: int = 0  # steps of it that are done
    history: list[dict[str, Any]] = field(default_factory=list)  # a row for every epoch that is done
    best: dict[str, Tensor] = field(default_factory=dict)  # weights of the best epoch, on the CPU
    starts: list[dict[str, Any]] = field(default_factory=list)  # epoch, step and environment of every process
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("steps", "validation", "saving"), 0.0))

    def state_dict(self) -> dict[str, Any]:
        """Return the content of a resume checkpoint: tensors and plain values."""
        tensors = {"network": self.model.state_dict(), "optimiser": self.optimizer.state_dict()}
        plain = {name: getattr(self, name) for name in SAVED_FIELDS}
        return {**plain, **tensors, "losses": self.losses, "task": self.task.state()}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue from the content of a resume checkpoint."""
        self.model.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimiser"])
        self.losses.copy_(saved["losses"])
        self.task.restore(saved["task"])
        for name in SAVED_FIELDS:
            setattr(self, name, saved[name])

    def note_start(self, environment: Mapping[str, Any]) -> None:
        """Record the start of this process; warn where it continues a training under other conditions."""
        if self.starts:
            logger.info("continuing at epoch %d, after step %d", self.epoch, self.step)
            before = self.starts[-1]
            for key, value in environment.items():
                if before.get(key) != value:
                    text = "%s is %s, was %s: the result is valid, but not bit for bit that of an undisturbed run"
                    logger.warning(text, key, value, before.get(key))
        self.starts.append({"epoch": self.epoch, "step": self.step, **environment})

    def remaining(self, batches: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield number (from 0) and rows of the epoch's steps that are not done."""
        yield from list(enumerate(batches))[self.step :]

    def global_step(self, step: int) -> int:
        """Return the number of a step of this epoch, counted from the first of the training."""
        return (self.epoch - 1) * len(self.losses) + step

    @contextmanager
    def timed(self, activity: str) -> Iterator[None]:
        """Add the elapsed time to the seconds of an activity."""
        started = time.perf_counter()
        yield
        self.seconds[activity] += time.perf_counter() - started

    def finish_epoch(self, row: dict[str, Any]) -> None:
        """Append the epoch to the history and begin the next."""
        self.history.append(row)
        self.epoch, self.step = self.epoch + 1, 0
