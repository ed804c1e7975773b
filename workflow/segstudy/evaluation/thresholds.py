"""From probability to mask: the one rule, and ways of choosing its threshold."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from segstudy.core.errors import StudyError

logger = logging.getLogger("segstudy")

# Candidates are k / LEVELS. A power of two: these numbers, and their products with float32 probabilities, are
# exact, so the histogram below and `binarise` agree on every pixel.
LEVELS = 1024


def binarise(values: np.ndarray, threshold: float) -> np.ndarray:
    """Return where `values` >= `threshold`, as bool: a pixel exactly at the threshold is foreground."""
    return np.greater_equal(values, threshold)


def tune(pairs: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
    """Return the threshold that maximises the mean over images of Dice, exactly, among 0, 1/1024, ..., 1.

    Thresholds often tie over a stretch; the middle of the longest stretch of best ones is returned (of the one
    closest to 0.5 where several are as long): it lies farthest from where the result changes.

    Args:
        pairs: see `dice_curve`.

    Raises:
        StudyError: if no image has foreground.
        ValueError: if a probability lies outside 0..1 or is NaN.
    """
    return best_of(dice_curve(pairs))


def best_of(curve: np.ndarray) -> float:
    """Return the threshold where a curve over 0, 1/1024, ..., 1 is highest; see `tune` for ties."""
    return _middle(curve == curve.max()) / LEVELS


def dice_curve(pairs: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the mean over images of Dice, exactly, at each of the thresholds 0, 1/1024, ..., 1: float64 (1025,).

    One pass: of each image only a histogram is kept, so `pairs` may be a generator over any number of images.
    Images without foreground inside the region are left out: their Dice is 0 or not defined at every threshold.

    Args:
        pairs: of each image the probability float (H, W) in 0..1, the truth bool (H, W), and the region bool (H, W)
            whose pixels count.

    Raises:
        StudyError: if no image has foreground.
        ValueError: if a probability lies outside 0..1 or is NaN.
    """
    total, used, skipped = np.zeros(LEVELS + 1), 0, 0
    for probability, truth, region in pairs:
        foreground = _at_least(probability[region & truth])
        if foreground[0] == 0:
            skipped += 1
            continue
        predicted = foreground + _at_least(probability[region & ~truth])
        total += 2 * foreground / (predicted + foreground[0])
        used += 1
    if not used:
        raise StudyError(
            f"no threshold can be tuned: none of the {skipped} images it is tuned on has foreground",
            remedy="use another split, or take what asks for it out of evaluation: a policy, or the control 'frangi'",
        )
    if skipped:
        logger.info("threshold tuned on %d images; %d without foreground left out", used, skipped)
    return total / used


def otsu(values: np.ndarray) -> float:
    """Return the threshold that separates `values` into two classes of least variance (Otsu 1979).

    Made for `binarise`: it lies just above the last value of the lower class (for whole numbers, halfway to the
    next one). Where all values are equal there are no two classes, and none of them reaches the threshold.

    Args:
        values: any shape; for an image with a field of view, only the values inside it.

    Raises:
        ValueError: if there are no values.
    """
    from skimage.filters import threshold_otsu

    if values.size == 0:
        raise ValueError("Otsu's threshold of no values")
    last = values.flat[0] if values.min() == values.max() else threshold_otsu(values)
    if np.issubdtype(values.dtype, np.integer):
        return float(last) + 0.5
    return float(np.nextafter(values.dtype.type(last), values.dtype.type(np.inf)))


def otsu_of(pairs: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
    """Return Otsu's threshold of all probabilities of some images together, among 1/1024, ..., 1; see `tune`.

    The truth is not looked at. Where all probabilities lie in one of the 1024 levels the threshold is above it.

    Raises:
        ValueError: if a probability lies outside 0..1 or is NaN, or there is no image.
    """
    from skimage.filters import threshold_otsu

    levels = np.sum([_at_least(probability[region]) for probability, _, region in pairs], axis=0, dtype=float)
    counts = -np.diff(levels, append=0.0)
    used = np.flatnonzero(counts)
    if used.size == 0:
        raise ValueError("Otsu's threshold of no probabilities")
    last = used[0] if used.size == 1 else threshold_otsu(hist=(counts, np.arange(LEVELS + 1)))
    return float(last + 1) / LEVELS


def _at_least(values: np.ndarray) -> np.ndarray:
    """Return how many of `values` are >= k / LEVELS, for k = 0..LEVELS."""
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(f"probabilities must lie in 0..1, found {values.min()}..{values.max()}")
    bins = (values * LEVELS).astype(np.int32)
    return np.bincount(bins, minlength=LEVELS + 1)[::-1].cumsum()[::-1]


def _middle(best: np.ndarray) -> int:
    """Return the middle of the longest run of True; of several, that of the one closest to the centre."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], best.astype(np.int8), [0]))))
    starts, lasts = edges[::2], edges[1::2] - 1
    middles = (starts + lasts) // 2
    longest = lasts - starts == (lasts - starts).max()
    return int(min(middles[longest], key=lambda middle: abs(middle - (best.size - 1) / 2)))
