"""Class weights: counted from the training masks, or given as numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from segstudy.core.errors import StudyError
from segstudy.core.progress import track

logger = logging.getLogger("segstudy")


class ClassStatistics(NamedTuple):
    """Number of training pixels inside the roi per class, background first."""

    pixels: tuple[int, ...]


def class_statistics(masks: np.ndarray, rois: np.ndarray, rows: Iterable[int], classes: int) -> ClassStatistics:
    """Count the pixels of each class inside the roi, image by image (the arrays may be memory-mapped).

    Args:
        masks: uint8 (N, H, W) class ids.
        rois: uint8 (N, H, W), 1 where pixels count.
        rows: the training rows of both.
        classes: number of classes WITH background: 2 for a binary data set.

    Raises:
        StudyError: a counted pixel has a class id that is not below `classes`.
    """
    pixels = np.zeros(classes, dtype=np.int64)
    for row in track(list(rows), "counting the pixels of each class"):
        counts = np.bincount(masks[row][rois[row] > 0], minlength=classes)
        if len(counts) > classes:
            raise StudyError(
                f"a mask holds class {len(counts) - 1} of a data set of {classes} classes (background included)",
                where=f"row {row} of the store's masks",
                allowed=f"0 to {classes - 1}",
                remedy="check the classes of the data set in the config, then make the store again",
            )
        pixels += counts
    return ClassStatistics(tuple(pixels.tolist()))


def positive_weight(option: str | float, statistics: ClassStatistics) -> float:
    """Return a number as it is, and for 'inverse_frequency' background pixels / foreground pixels.

    Raises:
        StudyError: one of the two has no pixel.
    """
    if not isinstance(option, str):
        return float(option)
    background, foreground = statistics.pixels
    if not background or not foreground:
        raise StudyError(
            "inverse_frequency needs pixels of both classes, "
            f"found {background} of the background and {foreground} of the foreground",
            where="the training masks, inside the roi",
            remedy="look at the data set's card and its masks, or give positive_weight as a number",
        )
    return background / foreground


def class_weights(option: str | Sequence[float], statistics: ClassStatistics) -> tuple[float, ...] | None:
    """Return one weight a class, background first; None for 'none'.

    'inverse_frequency' is 1 / (pixels of the class), scaled to mean 1 over the classes that occur; a class
    without a training pixel gets 0 (and a line in the log). Numbers come back as they are.

    Raises:
        StudyError: no class has a pixel.
    """
    if option == "none":
        return None
    if not isinstance(option, str):
        return tuple(float(weight) for weight in option)
    pixels = np.array(statistics.pixels, dtype=np.float64)
    present = pixels > 0
    if not present.all():
        logger.warning("no training pixel of class %s: weight 0", ", ".join(map(str, np.flatnonzero(~present))))
    if not present.any():
        raise StudyError("inverse_frequency needs training pixels, found none", where="the training masks and rois")
    weights = np.divide(1.0, pixels, out=np.zeros_like(pixels), where=present)
    return tuple((weights / weights[present].mean()).tolist())
