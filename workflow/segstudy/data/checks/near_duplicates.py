"""Find the same picture on two sides of a split: re-encoded, resized, brightened, turned, mirrored or cropped copies.

How well this separates copies from merely similar images was measured on five data sets; the figures stand in
docs/splits-and-checks.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segstudy.core.progress import track
from segstudy.data.checks.transformed_copies import moved_copies
from segstudy.data.images.thumbnails import SIDE, Pictures, in_common, locally_normalised, positions, unit

SIGMA = 2.0  # pixels of a thumbnail: scale of the local mean and contrast
THRESHOLD = 0.8  # distinct real images stayed below 0.60, copies above 0.91
BLOCK = 256  # thumbnails compared at once, in each of the eight positions
WIDE = 2048  # thumbnails they are compared with at once: bounds the memory


class Pair(NamedTuple):
    """Two rows that show the same picture, and how alike they are (correlation, 1 = identical)."""

    first: int
    second: int
    score: float
    moved: bool = False  # cropped or slightly turned: alike in register alone


def near_duplicates(
    thumbnails: NDArray[np.floating], subsets: Sequence[str], threshold: float = THRESHOLD
) -> list[Pair]:
    """Return the pairs of rows in different subsets that show the same picture, best first.

    The score of a pair is the largest correlation of their `features` over the eight flips and right-angle turns;
    copies that fit no position are looked for by `moved_copies`, and their score is the correlation in register. Rows
    without a subset (empty text) are left out, and so are pairs of train and unlabelled: neither is measured.

    Args:
        thumbnails: (N, 64, 64), one `thumbnail` per row.
        subsets: N names of subsets.
        threshold: pairs with a lower score are not returned, unless they are `moved_copies`.

    Raises:
        ValueError: the shapes do not fit.
    """
    if thumbnails.shape != (len(subsets), SIDE, SIDE):
        raise ValueError(f"thumbnails are {thumbnails.shape}, expected {(len(subsets), SIDE, SIDE)}")
    names = np.asarray(subsets, dtype=object)
    values = features(thumbnails)
    # The smaller side is the one that is turned.
    sides = [sorted(pair, key=lambda name: int(np.sum(names == name))) for pair in compared(subsets)]
    work = [
        (few[start : start + BLOCK], np.flatnonzero(names == large))
        for small, large in sides
        for few in [np.flatnonzero(names == small)]
        for start in range(0, len(few), BLOCK)
    ]
    pairs = [pair for few, many in track(work, "near duplicates") for pair in _matches(values, few, many, threshold)]
    del values
    known = {(pair.first, pair.second) for pair in pairs}
    rows = [(np.flatnonzero(names == small), np.flatnonzero(names == large)) for small, large in sides]
    for a, b, score in moved_copies(thumbnails, rows):
        pair = Pair(min(a, b), max(a, b), round(min(score, 1.0), 3), moved=True)
        if pair[:2] not in known:
            pairs.append(pair)
    return sorted(pairs, key=lambda pair: (-pair.score, pair.first, pair.second))


def compared(subsets: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of subsets between which a copy would be a leak."""
    present = sorted({name for name in subsets if name})
    return [pair for pair in combinations(present, 2) if pair != ("train", "unlabelled")]


def pairs_compared(subsets: Sequence[str]) -> int:
    """Return how many pairs of rows `near_duplicates` looks at."""
    return sum(list(subsets).count(a) * list(subsets).count(b) for a, b in compared(subsets))


def features(thumbnails: NDArray[np.floating]) -> Pictures:
    """Return what is compared: float32 (N, 4096), each row of mean 0 and length 1, or all 0 for a blank image.

    `locally_normalised`, then `in_common` of all rows subtracted.
    """
    result = np.empty((len(thumbnails), SIDE * SIDE), dtype=np.float32)
    for start in range(0, len(thumbnails), WIDE):
        block = np.asarray(thumbnails[start : start + WIDE], dtype=np.float32)
        result[start : start + WIDE] = unit(locally_normalised(block, SIGMA).reshape(len(block), -1))
    blank = ~result.any(axis=1)
    if len(result):
        result -= in_common(result.reshape(-1, SIDE, SIDE)).reshape(1, -1)
    result = unit(result)
    result[blank] = 0
    return result


def _matches(values: Pictures, few: NDArray[np.intp], many: NDArray[np.intp], threshold: float) -> Iterator[Pair]:
    """Yield pairs of a row in `few` and a row in `many`, the lower row first."""
    turned = np.concatenate(
        [position.reshape(len(few), -1) for position in positions(values[few].reshape(-1, SIDE, SIDE))]
    )
    for start in range(0, len(many), WIDE):
        block = many[start : start + WIDE]
        scores = (turned @ values[block].T).reshape(8, len(few), len(block)).max(axis=0)
        for i, j in np.argwhere(scores >= threshold):
            first, second = sorted((int(few[i]), int(block[j])))
            yield Pair(first, second, round(min(float(scores[i, j]), 1.0), 3))
