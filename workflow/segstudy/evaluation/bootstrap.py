"""Bootstrap intervals of means over a handful of seeds and a few dozen images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

LEVEL, RESAMPLES = 0.95, 2000  # of every interval of the tables
ENDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


def bootstrap_interval(
    values: np.ndarray | Mapping[int, np.ndarray], level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean over seeds of the mean over images.

    What varies is the images (others might have been taken) and, with more than one seed, the seeds; pixels are
    not resampled, since those of one image are not independent.

    - An array (seeds, images) says that a column is the same image for every seed: the columns are drawn with
      replacement once for all seeds, and so are the rows (Owen 2007, doi:10.1214/07-AOAS122). An image that a
      seed did not measure, or whose value is not defined, is NaN there, so that test sets may overlap in part.
    - A mapping seed -> array (images,) says that each seed has images of its own: seeds are drawn with
      replacement, then the images of each one drawn, afresh each time it is drawn.

    Few seeds, resampled, show too little of their spread ((n - 1)/n of its variance): where the seeds differ more
    than the images do, the interval is too narrow (docs/metrics.md gives the coverage measured).

    Args:
        values: one metric, NaN where it is not defined; one row (images,) is taken as one seed.
        level: probability that the interval is to cover.
        seed: of the generator; the same call returns the same interval.

    Returns:
        (low, high); both NaN if fewer than two images have a value: one image says nothing about others.
    """
    random = np.random.default_rng(seed)
    if isinstance(values, Mapping):
        rows = [np.asarray(row, dtype=np.float64) for row in values.values()]
        rows = [row[~np.isnan(row)] for row in rows]
        rows = [row for row in rows if row.size]
        if sum(row.size for row in rows) < 2:
            return float("nan"), float("nan")
        means = _nested(rows, resamples, random)
    else:
        table = np.atleast_2d(np.asarray(values, dtype=np.float64))
        table = table[:, ~np.isnan(table).all(axis=0)]
        table = table[~np.isnan(table).all(axis=1)]
        if table.shape[1] < 2:
            return float("nan"), float("nan")
        means = _crossed(table, resamples, random)
    low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_pooled(
    counts: np.ndarray,
    values_of: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    resamples: int = RESAMPLES,
) -> dict[str, tuple[float, float]]:
    """Return 95 % percentile bootstrap intervals of the mean over seeds of values of counts summed over images.

    Images are drawn once for all seeds, and so are the seeds, as in `bootstrap_interval`.

    Args:
        counts: (seeds, images, ...); 0 where a seed did not measure an image.
        values_of: counts summed over images (resamples, ...) -> values (resamples,) by name, NaN where not defined.

    Returns:
        Name -> (low, high); both NaN with fewer than two images, or where no resample has a value.
    """
    random = np.random.default_rng(0)
    seeds, images = counts.shape[:2]
    times = _times_drawn(images, resamples, random)
    drawn = random.integers(seeds, size=(resamples, seeds))
    per_seed = [values_of(np.tensordot(times, of_seed.astype(np.float64), axes=1)) for of_seed in counts]
    intervals = {}
    for name in per_seed[0]:
        table = np.stack([values[name] for values in per_seed], axis=1)
        means = _mean_of_defined(np.take_along_axis(table, drawn, axis=1))
        means = means[~np.isnan(means)]
        ends = (np.nan, np.nan) if images < 2 or not means.size else np.quantile(means, ENDS)
        intervals[name] = (float(ends[0]), float(ends[1]))
    return intervals


def bootstrap_means(tables: np.ndarray, resamples: int = RESAMPLES) -> np.ndarray:
    """Return the bootstrap means of several rows measured on the same images, so that they can be compared.

    Images and seeds are drawn as in `bootstrap_interval`, once for all rows: in each resample all rows meet the same
    images.

    Args:
        tables: (rows, seeds, images), NaN where a value is not defined or an image not measured.

    Returns:
        (rows, resamples); NaN where a row has no value in a resample.
    """
    return np.stack([_crossed(table, resamples, np.random.default_rng(0)) for table in tables])


def bootstrap_difference(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a difference of means, first minus second, over different images.

    The images of each are drawn on their own; the seeds, which are the same networks, once for both.

    Args:
        first: (seeds, images), NaN where a value is not defined or an image not measured.
        second: (seeds, other images), the same seeds in the same order.

    Returns:
        (low, high); both NaN if either has fewer than two images with a value.

    Raises:
        ValueError: the seeds are not as many.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} seeds cannot be the same networks")
    random = np.random.default_rng(0)
    parts = [table[:, ~np.isnan(table).all(axis=0)] for table in (first, second)]
    if min(part.shape[1] for part in parts) < 2:
        return float("nan"), float("nan")
    drawn = random.integers(len(first), size=(RESAMPLES, len(first)))
    means = []
    for part in parts:
        times, defined = _times_drawn(part.shape[1], RESAMPLES, random), ~np.isnan(part)
        with np.errstate(invalid="ignore"):
            of_seeds = (times @ np.where(defined, part, 0.0).T) / (times @ defined.T.astype(np.float64))
        means.append(_mean_of_defined(np.take_along_axis(of_seeds, drawn, axis=1)))
    low, high = np.nanquantile(means[0] - means[1], ENDS)
    return float(low), float(high)


def _crossed(table: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Draw images for all seeds at once, and seeds; return one mean per resample, (resamples,)."""
    seeds, images = table.shape
    times = _times_drawn(images, resamples, random)
    defined = ~np.isnan(table)
    with np.errstate(invalid="ignore"):  # a resample may hold no image that a seed has a value for
        means = (times @ np.where(defined, table, 0.0).T) / (times @ defined.T.astype(np.float64))
    drawn = random.integers(seeds, size=(resamples, seeds))
    return _mean_of_defined(np.take_along_axis(means, drawn, axis=1))


def _nested(rows: list[np.ndarray], resamples: int, random: np.random.Generator) -> np.ndarray:
    """Draw seeds, and for each one drawn images of its own; return one mean per resample, (resamples,)."""
    drawn = random.integers(len(rows), size=(resamples, len(rows)))
    means = np.empty(drawn.shape)
    for number, row in enumerate(rows):
        chosen = drawn == number
        means[chosen] = _times_drawn(row.size, int(chosen.sum()), random) @ row / row.size
    return means.mean(axis=1)


def _times_drawn(images: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Return how often each image is drawn in each resample, float64 (resamples, images)."""
    drawn = random.integers(images, size=(resamples, images))
    drawn += np.arange(resamples)[:, None] * images  # a block of bins each; 5 times as fast as multinomial
    return np.bincount(drawn.ravel(), minlength=resamples * images).reshape(resamples, images).astype(np.float64)


def _mean_of_defined(means: np.ndarray) -> np.ndarray:
    defined = ~np.isnan(means)
    with np.errstate(invalid="ignore"):
        return np.where(defined, means, 0.0).sum(axis=1) / defined.sum(axis=1)
