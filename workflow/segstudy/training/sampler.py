"""The order in which a training visits its images: balanced strata, crops per image, batches of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segstudy.config.recipes import Recipe
from segstudy.core import rng
from segstudy.training.device_data import Rows
from segstudy.training.tasks.base import Task


@dataclass(frozen=True)
class Sampler:
    """The batches of every epoch of a training, drawn from (seed, epoch) alone."""

    rows: Rows  # of the labelled training images
    strata: Sequence[str] | None  # of each row, to be visited equally often; None leaves them as they are
    task: Task
    recipe: Recipe
    seed: int

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """Return the rows of every batch of an epoch (from 1); their sizes are those of every other epoch."""
        rows = self.rows if self.strata is None else balanced(self.rows, self.strata, self.seed, epoch)
        crops = self.task.crops(rows, self.recipe.crops_per_image, epoch)
        return epoch_batches(crops, self.recipe.batch_size, 1, self.seed, epoch, self.recipe.crops_per_epoch)


def epoch_batches(
    rows: Rows, batch_size: int, repeats: int, seed: int, epoch: int, total: int | None = None
) -> list[np.ndarray]:
    """Return the rows of every batch of an epoch: each row `repeats` times, in the random order of this epoch.

    With a `total` there are as many in all, whatever the number of rows: each comes floor(total / rows) times and the
    rest, drawn anew in each epoch, once more.

    The last batch may be smaller. If it would hold one image alone it joins the one before: batch normalisation
    cannot learn from one value.
    """
    once = np.asarray(rows, np.int64)
    visits = np.repeat(once, repeats)
    if total is not None:
        visits = resample_to(once, total, rng.numpy_generator(seed, "crops", epoch))
    order = rng.numpy_generator(seed, "order", epoch).permutation(visits)
    batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def balanced(rows: Rows, strata: Sequence[str], seed: int, epoch: int) -> np.ndarray:
    """Return `rows` with those of the smaller strata repeated, so that each stratum has as many as the largest.

    With n rows in a stratum and N in the largest, every row of the stratum comes floor(N / n) times and N mod n of
    them, drawn anew in each epoch, once more. Oversampling of the minority, in the training set alone: section 0.4
    of the EBHI-SEG report. The augmentation makes the repeated images differ.

    Args:
        rows: of the training images.
        strata: of each of them.
    """
    groups = by_stratum(rows, strata)
    largest, draw = max(map(len, groups)), rng.numpy_generator(seed, "balance", epoch)
    return np.concatenate([resample_to(group, largest, draw) for group in groups])


def by_stratum(rows: Rows, strata: Sequence[str]) -> list[np.ndarray]:
    """Return the rows of each stratum, in alphabetical order of the strata."""
    names, members = np.unique(np.asarray(strata, dtype=str), return_inverse=True)
    return [np.asarray(rows, np.int64)[members == name] for name in range(len(names))]


def resample_to(rows: np.ndarray, total: int, draw: np.random.Generator) -> np.ndarray:
    """Return `total` rows: each floor(total / rows) times, and the rest, drawn without replacement, once more."""
    times, rest = divmod(total, len(rows))
    return np.concatenate([np.repeat(rows, times), draw.choice(rows, rest, replace=False)])
