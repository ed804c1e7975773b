"""Measures of probabilities, without a threshold: ROC AUC, average precision, Brier score, calibration error.

Probabilities on disk have 65536 levels. Two histograms over these, of the foreground's and of the background's
pixels, hold all that the measures need: they are exact, ties included, and no pixel is sorted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from segstudy.data.images.prediction_files import STEPS

LEVELS = STEPS + 1
CALIBRATION_BINS = 15  # of equal width, as in Guo 2017; 65535 is a multiple of it, so that no level is split
COARSE = 256  # bins of the histograms that are kept


class Scores(NamedTuple):
    """Measures of one image's probabilities; NaN where one is not defined.

    - `positives`, `negatives`: pixels by the truth.
    - `roc_auc`: probability that a pixel of the foreground has the higher value than one of the background, ties
      counting half (Hanley 1982, doi:10.1148/radiology.143.1.7063747). Needs both.
    - `average_precision`: sum over the distinct values, downwards, of precision x gain in recall: the area under the
      steps of the precision-recall curve, without interpolation. Needs foreground.
    - `brier`: mean of (p - y)^2 (Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
    - `ece`: expected calibration error of the foreground's probability: sum over 15 bins of equal width, (0, 1/15] to
      (14/15, 1], 0 being in the first, of |sum of p - sum of y| / pixels (Naeini 2015, doi:10.1609/aaai.v29i1.9602).
    """

    positives: int
    negatives: int
    roc_auc: float
    average_precision: float
    brier: float
    ece: float


def histograms(probability: np.ndarray, truth: np.ndarray, region: np.ndarray | None = None) -> np.ndarray:
    """Return how many pixels of the foreground and of the background have each level: int64 (2, 65536).

    Args:
        probability: as `segstudy.data.images.prediction_files.read_probability` returns it, (H, W).
        truth: bool, the same shape.
        region: bool, the same shape; only its True pixels count. None counts them all.
    """
    levels = np.rint(probability * np.float32(STEPS)).astype(np.int64)
    levels += LEVELS * ~truth  # the background's levels follow those of the foreground
    counted = levels.ravel() if region is None else levels[region]
    return np.bincount(counted, minlength=2 * LEVELS).reshape(2, LEVELS)


def scores(levels: np.ndarray) -> Scores:
    """Return the measures of histograms int64 (2, 65536), of one image or summed over several."""
    positive, negative = levels
    positives, negatives = int(positive.sum()), int(negative.sum())
    pixels = positives + negatives
    p = np.arange(LEVELS) / STEPS
    return Scores(
        positives,
        negatives,
        roc_auc=_roc_auc(positive, negative, positives, negatives),
        average_precision=_average_precision(positive, negative, positives),
        brier=float((positive @ (1 - p) ** 2 + negative @ p**2) / pixels) if pixels else float("nan"),
        ece=float(np.abs(_gaps(positive, negative)).sum() / pixels) if pixels else float("nan"),
    )


def coarse(levels: np.ndarray) -> np.ndarray:
    """Return histograms (2, 65536) in 256 bins, int64 (2, 256): bin k holds the levels 256 k to 256 k + 255."""
    return np.asarray(levels.reshape(2, COARSE, -1).sum(axis=-1))


def _roc_auc(positive: np.ndarray, negative: np.ndarray, positives: int, negatives: int) -> float:
    if not (positives and negatives):
        return float("nan")
    below = np.cumsum(negative) - negative
    pairs = int(positive @ (2 * below + negative))  # twice the pairs in the right order; whole numbers are exact
    return pairs / (2 * positives * negatives)


def _average_precision(positive: np.ndarray, negative: np.ndarray, positives: int) -> float:
    if not positives:
        return float("nan")
    gained = positive[::-1]
    true_positives = np.cumsum(gained)
    predicted = true_positives + np.cumsum(negative[::-1])
    used = gained > 0  # only these add to the recall, and there predicted > 0
    return float((gained[used] / positives) @ (true_positives[used] / predicted[used]))


def _gaps(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Return sum of p - sum of y in each bin of the calibration error, float64 (15,)."""
    level = np.arange(LEVELS)
    bins = np.maximum(level - 1, 0) // (STEPS // CALIBRATION_BINS)
    expected = np.bincount(bins, weights=(positive + negative) * level, minlength=CALIBRATION_BINS) / STEPS
    return np.asarray(expected - np.bincount(bins, weights=positive, minlength=CALIBRATION_BINS))
