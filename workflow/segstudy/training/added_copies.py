"""Augmented copies of the images of small strata, added to the training images, which stay as they are.

Section 0.4 of the EBHI-SEG report: "a data augmentation process was applied in specific tests to balance the number of
samples among the minority classes only within the training set". The copies are made once, before the training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from segstudy.config.recipes import Augmentation
from segstudy.core import rng
from segstudy.core.progress import track
from segstudy.data.concat_arrays import Arrays, ConcatArray
from segstudy.training.augment_geometry import augment
from segstudy.training.device_data import Rows
from segstudy.training.sampler import by_stratum, resample_to

TOGETHER = 64  # copies that are made in one call


def copied_rows(rows: Rows, strata: Sequence[str], seed: int) -> np.ndarray:
    """Return the row that each copy is made of: as many as bring every stratum to the size of the largest.

    With n rows in a stratum and N in the largest, each of the n comes floor((N - n) / n) times, and the rest, drawn
    without replacement, once more. Of the largest stratum there is none.

    Args:
        rows: of the training images.
        strata: of each of them.
    """
    groups = by_stratum(rows, strata)
    largest, draw = max(map(len, groups)), rng.numpy_generator(seed, "copies")
    return np.concatenate([resample_to(group, largest - len(group), draw) for group in groups])


def with_copies(arrays: Arrays, rows: np.ndarray, changes: Augmentation, seed: int) -> Arrays:
    """Return the arrays with an augmented copy of each of `rows` behind them.

    Args:
        arrays: images uint8 (N, H, W, C), masks uint8 (N, H, W), rois uint8 (N, H, W).
        rows: of `copied_rows`; copy i has the row N + i.
        changes: what makes a copy differ.
    """
    copies: list[tuple[np.ndarray, ...]] = []
    for first in track(range(0, len(rows), TOGETHER), f"augmented copies, {TOGETHER} at a time:"):
        part = rows[first : first + TOGETHER]
        images, masks, rois = (torch.from_numpy(np.asarray(array[part])) for array in arrays)
        draws = rng.generator(seed, "copies", first)
        image, mask, roi = augment(images.permute(0, 3, 1, 2), masks, rois, changes, draws)
        levels = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        copies.append(tuple(tensor.contiguous().numpy() for tensor in (levels, mask, roi)))
    if not copies:
        return arrays
    added = (np.concatenate(part) for part in zip(*copies, strict=True))
    joined = [ConcatArray(pair, (None, None)) for pair in zip(arrays, added, strict=True)]
    return joined[0], joined[1], joined[2]
