"""Failures: the worst images first, and curves over the threshold from the histograms of probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from segstudy.core.arrays import read_arrays
from segstudy.core.checksums import damaged
from segstudy.data.images.prediction_files import STEPS
from segstudy.evaluation.aggregate import per_image

ROW = ["dataset", "model", "loss", "recipe"]
# The 256 bins of histograms.npz, as thresholds: a pixel of bin k or above reaches the first level of bin k.
THRESHOLDS = np.arange(256) * 256 / STEPS
CENTRES = (np.arange(256) * 256 + 127.5) / STEPS
CALIBRATION_BINS = 16


def worst_first(counts: pd.DataFrame, strata: pd.DataFrame) -> pd.DataFrame:
    """Return the test images of each data set and stratum, those that networks find hardest first.

    Args:
        counts: counts of networks with one foreground class, at one policy and region (see
        `segstudy.tables.counts.headline`). strata: `dataset`, `sample`, `stratum`.

    Returns:
        One row per image and network, loss and recipe: `dataset`, `stratum`, `sample`, ROW, `share` (of the object in
        the region), `dice` (mean over the seeds that have one) and `hardest` (mean of these over the rows: the order).
    """
    test = per_image(counts[(counts["subset"] == "test") & (counts["row"] == "cell")])
    share = (test["tp"] + test["fn"]) / test[["tp", "fp", "fn", "tn"]].sum(axis=1)
    groups = test.assign(share=share).groupby([*ROW, "sample"], sort=False)
    images = groups[["share", "dice"]].mean().reset_index().merge(strata, on=["dataset", "sample"], how="left")
    images["hardest"] = images.groupby(["dataset", "sample"])["dice"].transform("mean")
    titles = ["title"] if "title" in strata else []
    columns = ["dataset", "stratum", "sample", *titles, *ROW[1:], "share", "dice", "hardest"]
    return images.sort_values(["dataset", "stratum", "hardest", "sample"], kind="stable", ignore_index=True)[columns]


def read_bins(path: str | Path, subset: str, region: str) -> np.ndarray:
    """Return the histograms of a subset's images, int64 (images, 2, 256): foreground's and background's pixels.

    Args:
        path: histograms.npz.
        subset: `test`, `val` or `train`.
        region: `roi` or `full`; an image that has no roi is there in full.

    Raises:
        StudyError: the file is damaged.
    """
    arrays = read_arrays(path, ("sample", "subset", "region", "positives", "negatives"))
    if len({len(array) for array in arrays.values()}) > 1:
        raise damaged(path, "its arrays are of different lengths")
    of_subset = arrays["subset"] == subset
    with_roi = set(arrays["sample"][of_subset & (arrays["region"] == "roi")]) if region == "roi" else set()
    wanted = np.array([("roi" if name in with_roi else "full") for name in arrays["sample"]], dtype="U4")
    kept = of_subset & (arrays["region"] == wanted)
    return np.stack([arrays["positives"][kept], arrays["negatives"][kept]], axis=1)


def dice_over_thresholds(bins: np.ndarray) -> np.ndarray:
    """Return the mean over images with foreground of Dice at each of THRESHOLDS, float64 (256,).

    Args:
        bins: (images, 2, 256).
    """
    above = bins[bins[:, 0].sum(axis=1) > 0][:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    hits, false_alarms = above[:, 0], above[:, 1]
    return (
        np.asarray((2 * hits / (hits + false_alarms + hits[:, :1])).mean(axis=0))
        if len(above)
        else np.full(256, np.nan)
    )


def operating_points(bins: np.ndarray) -> pd.DataFrame:
    """Return `sensitivity`, `fall_out` (1 - specificity) and `precision` of all pixels at each of THRESHOLDS.

    A value is NaN where nothing is predicted, or where no pixel is foreground (background).
    """
    hits, false_alarms = bins.sum(axis=0)[:, ::-1].cumsum(axis=1)[:, ::-1].astype(float)
    with np.errstate(invalid="ignore"):
        ratios = {
            "sensitivity": hits / hits[0],
            "fall_out": false_alarms / false_alarms[0],
            "precision": hits / (hits + false_alarms),
        }
    return pd.DataFrame(ratios)


def calibration(bins: np.ndarray) -> pd.DataFrame:
    """Return `probability` (mean), `foreground` (share by the truth) and `pixels` of 16 bins, without empty ones."""
    positive, negative = bins.sum(axis=0)
    groups = np.arange(256) * CALIBRATION_BINS // 256
    pixels = np.bincount(groups, positive + negative)
    used = pixels > 0
    sums = np.bincount(groups, (positive + negative) * CENTRES), np.bincount(groups, positive)
    mean, share = (values[used] / pixels[used] for values in sums)
    return pd.DataFrame({"probability": mean, "foreground": share, "pixels": pixels[used]})
