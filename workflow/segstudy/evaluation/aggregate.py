"""Pixel counts first, ratios last: the confusion matrix of two masks, and averages of the metrics.

The formulas are in `segstudy.evaluation.metrics`. A value that is not defined is NaN; averages leave it out and say how
often (see docs/metrics.md). Where several classes are counted, each against all others, their mean is one more "class",
called MEAN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd

from segstudy.config.class_names import MEAN
from segstudy.evaluation.metrics import COUNTS, METRICS, SUMMABLE, Numbers, measured, ratio

# What tells two measurements of one cell and one seed apart, beside the sample.
CONDITION = ["class", "subset", "region", "policy"]
ORACLE = "oracle"  # the policy of an upper bound: the best threshold on the test images themselves
ARGMAX = "argmax"  # the policy of several classes: the one of the largest probability


class Counts(NamedTuple):
    """Pixels of each kind: whole numbers, or arrays of one shape.

    `tp` foreground in both, `fp` in the prediction alone, `fn` in the truth alone, `tn` in neither.
    """

    tp: Numbers
    fp: Numbers
    fn: Numbers
    tn: Numbers


def confusion(prediction: np.ndarray, truth: np.ndarray, region: np.ndarray | None = None) -> Counts:
    """Count the pixels of two binary masks, inside `region` where one is given.

    Args:
        prediction: bool, any shape.
        truth: bool, the same shape.
        region: bool, the same shape; only its True pixels count. None counts them all.

    Raises:
        TypeError: if an array is not bool: {0, 255} or class ids would be counted wrongly.
        ValueError: if the shapes differ.
    """
    masks = [prediction, truth] if region is None else [prediction, truth, region]
    if any(mask.dtype != np.bool_ for mask in masks):
        raise TypeError(f"masks must be bool, found {', '.join(str(mask.dtype) for mask in masks)}")
    if any(mask.shape != prediction.shape for mask in masks):
        raise ValueError(f"masks differ in shape: {', '.join(str(mask.shape) for mask in masks)}")
    pixels = prediction.size
    if region is not None:
        prediction, truth, pixels = prediction & region, truth & region, int(np.count_nonzero(region))
    tp = int(np.count_nonzero(prediction & truth))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return Counts(tp, fp, fn, pixels - tp - fp - fn)


def per_image(counts: pd.DataFrame) -> pd.DataFrame:
    """Return `counts` with one more column for each metric whose columns it has; NaN where it is not defined."""
    return counts.assign(**{name: metric.function(counts) for name, metric in measured(counts).items()})


def pooled(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Sum the counts of each group of `by`, then take the ratios: large images and large objects weigh more.

    Returns one row per group: the columns `by`, the summed counts, one column for each metric that sums allow.
    """
    summed = [name for name in SUMMABLE if name in counts]
    return per_image(counts.groupby(list(by), sort=False, dropna=False)[summed].sum().reset_index())


def of_sums(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return every metric that sums allow, from summed columns of counts."""
    return {name: metric.function(SimpleNamespace(**sums)) for name, metric in measured(sums).items()}


def with_means(values: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return `values` with a row of class MEAN above the classes of every group of `keys` that has several.

    Measures (Dice, IoU, sensitivity, specificity, precision, ...) are means over the classes that
    have one: a class that neither truth nor prediction shows has no Dice and no IoU. Accuracy is that of all
    pixels, sum of TP over the classes / pixels, and pixel error 1 - accuracy: a pixel is right or wrong once, not once
    for each class. What was counted is NaN in these rows.

    Args:
        values: from `per_image` or `pooled`; one row for each of `keys` and class.
        keys: columns that tell the rows of one class apart.
    """
    groups = values.groupby(list(keys), sort=False, dropna=False)
    several = groups["class"].transform("size") > 1
    if not several.any():
        return values
    table = values.assign(place=np.arange(len(values)), pixels=values[list(COUNTS)].sum(axis=1))
    classes = table[several].groupby(list(keys), sort=False, dropna=False)
    right = classes["tp"].sum() / classes["pixels"].first()
    names = [name for name in METRICS if name in values]
    means = classes[names].mean().assign(accuracy=right, pixel_error=1 - right, place=classes["place"].first())
    means = means.reset_index().assign(**{"class": MEAN})
    both = pd.concat([means, table.drop(columns="pixels")], ignore_index=True)
    return both.sort_values("place", kind="stable", ignore_index=True)[list(values)]


def class_means(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return every metric of class MEAN, as `with_means` defines it, from summed columns of counts (..., classes)."""
    right = sums["tp"].sum(axis=-1) / np.sum([sums[name] for name in COUNTS], axis=0)[..., 0]
    means = {name: _mean_of_defined(values) for name, values in of_sums(sums).items()}
    return means | {"accuracy": right, "pixel_error": 1 - right}


def headline_classes(values: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return of each group of `keys` the row of class MEAN where it has one, otherwise its one class."""
    has_mean = values["class"].eq(MEAN).groupby([values[key] for key in keys], dropna=False).transform("any")
    return values[values["class"].eq(MEAN) | ~has_mean].reset_index(drop=True)


def summarise(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the tidy table of docs/file-formats.md: every metric over images and seeds.

    The value of one seed is the mean over its images that have one (`averaging` = image) or the ratio of the
    summed counts (pooled); those of class MEAN are made of each image's, or of the pooled, values of the classes
    (`with_means`). `mean` and `sd` (ddof 1) are taken over the seeds that have a value: NaN where none
    has, `sd` NaN below two.

    Args:
        counts: rows of counts.csv of any number of cells, with columns `seed` and `by` added.
        by: columns that name a cell without its seed, such as dataset, model, loss and recipe.

    Returns:
        One row per (`by`, class, subset, region, policy, metric, averaging) in order of appearance, with `mean`,
        `sd`, `images` (per seed; their mean where seeds differ), `seeds`, and `undefined`: images that could not
        enter the value, summed over seeds (for pooled, those of seeds whose summed counts define nothing). A metric
        that was not measured for (`by`, subset, region, policy), or that has no pooled value, has no row.

    Raises:
        ValueError: if a sample is counted twice in one group, so that `by` does not tell the cells apart.
    """
    groups = [*by, *CONDITION]
    cells = [*groups, "seed"]
    twice = counts.duplicated([*cells, "sample"])
    if twice.any():
        raise ValueError(f"counted twice for one ({', '.join(cells)}): {counts.loc[twice].iloc[0].to_dict()}")
    names = list(measured(counts))
    image_keys = [key for key in cells if key != "class"]
    images = with_means(per_image(counts), [*image_keys, "sample"])
    per_seed = images.groupby(cells, sort=False, dropna=False)
    size = per_seed.size()
    missing = images[names].isna().groupby([images[key] for key in cells], sort=False, dropna=False).sum()
    sums = with_means(pooled(counts, cells), image_keys).set_index(cells)
    sums = sums[[name for name in names if METRICS[name].pooled]]
    parts = [
        _over_seeds(per_seed[names].mean(), missing, size, groups).assign(averaging="image"),
        _over_seeds(sums, sums.isna().mul(size, axis=0), size, groups).assign(averaging="pooled"),
    ]
    tidy = pd.concat(parts, ignore_index=True)
    place = tidy.assign(metric=tidy["metric"].map({name: rank for rank, name in enumerate(names)}))
    order = place.sort_values(["group", "metric", "averaging"], kind="stable").index
    columns = [*groups, "metric", "averaging", "mean", "sd", "images", "seeds", "undefined"]
    tidy = tidy.loc[order, columns]
    return tidy[_was_measured(tidy, counts, [key for key in groups if key != "class"])].reset_index(drop=True)


def _was_measured(tidy: pd.DataFrame, counts: pd.DataFrame, keys: list[str]) -> np.ndarray:
    """Return which rows of the tidy table have counts behind them: not measured is not the same as not defined."""
    markers = tidy["metric"].map({name: metric.columns[-1] for name, metric in METRICS.items()})
    known = counts[list(markers.unique())].notna().groupby([counts[key] for key in keys], dropna=False).any()
    flags = tidy[keys].merge(known.reset_index(), on=keys, how="left", validate="many_to_one")[known.columns]
    return np.asarray(flags.to_numpy()[np.arange(len(tidy)), known.columns.get_indexer(pd.Index(markers))].astype(bool))


def _over_seeds(values: pd.DataFrame, missing: pd.DataFrame, size: pd.Series, groups: list[str]) -> pd.DataFrame:
    """Return mean and sd over seeds, one row per (group, metric); `values` has one row per (group, seed)."""
    grouped = values.groupby(level=groups, sort=False, dropna=False)
    left_out = missing.groupby(level=groups, sort=False, dropna=False).sum()
    table = pd.DataFrame(
        {"mean": _long(grouped.mean()), "sd": _long(grouped.std(ddof=1)), "undefined": _long(left_out)}
    )
    per_group = size.groupby(level=groups, sort=False, dropna=False)
    shape = pd.DataFrame({"images": per_group.mean(), "seeds": per_group.size()})
    if (shape["images"] % 1 == 0).all():
        shape["images"] = shape["images"].astype(int)
    shape["group"] = np.arange(len(shape))
    return table.reset_index().merge(shape.reset_index(), on=groups, how="left", validate="many_to_one")


def _long(wide: pd.DataFrame) -> pd.Series:
    """Return one row per (index, column); a group whose value is NaN keeps its row."""
    return pd.Series(wide.rename_axis("metric", axis=1).stack(future_stack=True))


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Return the mean of the defined values over the last axis."""
    defined = ~np.isnan(values)
    return np.asarray(ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1)))
