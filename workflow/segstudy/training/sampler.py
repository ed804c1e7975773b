"""Which rows make the batches of an epoch: their order, balancing of strata, crops per image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segstudy.core import rng
from segstudy.training.device_data import Rows


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
        visits = topped_up(once, total, rng.numpy_generator(seed, "crops", epoch))
    order = rng.numpy_generator(seed, "order", epoch).permutation(visits)
    batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def balanced(rows: Rows, strata: Sequence[str], seed: int, epoch: int) -> np.ndarray:
    """Return `rows` with those of the smaller strata repeated, so that each stratum has as many as the largest.

    With n rows in a stratum and N in the largest, every row of the stratum comes floor(N / n) times and N mod n of
    them, drawn anew in each epoch, once more. Oversampling of the minority, in the training set alone: section 0.4
    of the EBHI-SEG report; that the repeated images differ is the work of the augmentation.

    Args:
        rows: of the training images.
        strata: of each of them.
        seed: of the training.
        epoch: of the draw.
    """
    names, members = np.unique(np.asarray(strata, dtype=str), return_inverse=True)
    groups = [np.asarray(rows, np.int64)[members == name] for name in range(len(names))]
    largest, draw = max(map(len, groups)), rng.numpy_generator(seed, "balance", epoch)
    return np.concatenate([topped_up(group, largest, draw) for group in groups])


def topped_up(rows: np.ndarray, total: int, draw: np.random.Generator) -> np.ndarray:
    """Return `total` rows: each as often as all can come, and as many as are then missing, drawn, once more."""
    times, rest = divmod(total, len(rows))
    return np.concatenate([np.repeat(rows, times), draw.choice(rows, rest, replace=False)])
