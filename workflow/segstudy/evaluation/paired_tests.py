"""Paired tests of two rows on the same images: difference, p values, effect sizes and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

LEVEL = 0.05  # of a family of tests: below it a difference is claimed
# The largest difference that two values of a metric can have, where it is not 1.
RANGES: Mapping[str, float] = {
    "mcc": 2.0,
    **dict.fromkeys(("hd95", "assd", "hd95_ranked", "assd_ranked"), math.inf),
    **dict.fromkeys(("object_error", "betti0_error", "betti1_error", "splits", "merges"), math.inf),
}
DIGITS = 12  # differences that agree to so many digits are ties: what follows is the order of summation


class Paired(NamedTuple):
    """Two rows compared; differences are first minus second."""

    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p: float
    p_seeds: float
    rank_biserial: float
    dz: float
    images: int
    seeds: int
    seeds_agree: int
    undefined: int


def largest_difference(metric: str) -> float:
    """Return the largest difference that two values of a metric can have: 1 of Dice, 2 of MCC, inf of distances."""
    return RANGES.get(metric, 1.0)


def paired(
    first: np.ndarray, second: np.ndarray, measured: np.ndarray | None = None, largest: float = math.inf
) -> Paired:
    """Compare two rows image by image.

    An image counts once: its difference is the mean over the seeds that measured it, so that the differences that are
    tested belong to different images, whether all seeds share their test images or every seed draws its own.

    - `difference` and the two means: mean over seeds of the mean over images, as in the tables.
    - `low`, `high`: its 95 % interval and `p_seeds`: its t test, over images and, with several of them, seeds, see
      `images_and_seeds`. The interval is cut at -`largest` and `largest`: that of two seeds, t with one degree of
      freedom, may pass what is possible.
    - `p`: Wilcoxon's signed-rank test, two-sided; differences of 0 are left out (Wilcoxon 1945); exact up to 50
      images without ties and up to 13 with, otherwise the normal approximation (scipy.stats.wilcoxon, method auto).
    - `rank_biserial`: (sum of the ranks in favour of the first - of the second) / sum of all (Kerby 2014,
      doi:10.2466/11.IT.3.1): 1 where every image favours the first.
    - `dz`: mean of the images' differences / their standard deviation (n - 1), Cohen's d of paired data.
    - `seeds_agree`: seeds whose own mean difference has the sign of `difference`.

    Args:
        first: (seeds, images), NaN where there is no value.
        second: the same seeds and images.
        measured: where both counted an image; a value missing there is counted as `undefined`.
        largest: difference that two values can have, see `largest_difference`.
    """
    from scipy import stats

    both = ~np.isnan(first) & ~np.isnan(second)
    mean_a, mean_b = (over_seeds(np.where(both, values, math.nan)) for values in (first, second))
    table = np.where(both, first - second, math.nan)
    seeds, images = both.any(axis=1), both.any(axis=0)
    per_image = np.round(np.atleast_1d(np.nanmean(table[:, images], axis=0)), DIGITS)
    per_seed = np.round(np.atleast_1d(np.nanmean(table[seeds], axis=1)), DIGITS)
    difference = round(mean_a - mean_b, DIGITS)
    moved = per_image[per_image != 0]
    ranks = stats.rankdata(np.abs(moved))
    total, spread = ranks.sum(), per_image.std(ddof=1) if per_image.size > 1 else 0.0
    p = math.nan if not per_image.size else 1.0
    if moved.size:
        p = float(stats.wilcoxon(moved, zero_method="wilcox", alternative="two-sided", method="auto").pvalue)
    low, high, p_seeds = images_and_seeds(table)
    return Paired(
        mean_a=mean_a,
        mean_b=mean_b,
        difference=difference,
        low=float(np.clip(low, -largest, largest)),
        high=float(np.clip(high, -largest, largest)),
        p=p,
        p_seeds=p_seeds,
        rank_biserial=float((ranks * np.sign(moved)).sum() / total) if total else (0.0 if per_image.size else math.nan),
        dz=float(per_image.mean() / spread) if spread > 0 else math.nan,
        images=int(images.sum()),
        seeds=int(seeds.sum()),
        seeds_agree=int((np.sign(per_seed) == np.sign(difference)).sum()),
        undefined=0 if measured is None else int((measured & ~both).sum()),
    )


def images_and_seeds(table: np.ndarray) -> tuple[float, float, float]:
    """Return the 95 % interval of the mean over seeds of the mean over images, and the p of its being 0.

    Other images might have been taken, and other seeds: the variance of the mean is that of what each image adds to it,
    plus, with more than one seed, that of the seeds' own means, with Satterthwaite's degrees of freedom for their sum
    (1946, doi:10.2307/3002019). A bootstrap of two or three seeds shows too little of their spread. Where each seed has
    test images of its own these enter both parts, and the interval is too wide rather than too narrow; with one seed it
    says nothing of other seeds. docs/metrics.md has the coverage.

    Args:
        table: (seeds, images), NaN where there is no value.
    """
    from scipy import stats

    known = ~np.isnan(table)
    table, known = (part[known.any(axis=1)][:, known.any(axis=0)] for part in (table, known))
    seeds, images = table.shape
    if images < 2:
        return math.nan, math.nan, math.nan
    seed_means = np.nanmean(table, axis=1)
    mean = seed_means.mean()
    added = np.where(known, table - seed_means[:, None], 0) / known.sum(axis=1, keepdims=True) / seeds
    parts = [(images / (images - 1) * (added.sum(axis=0) ** 2).sum(), images - 1)]
    parts += [(seed_means.var(ddof=1) / seeds, seeds - 1)] if seeds > 1 else []
    variance = sum(part for part, _ in parts)
    error = math.sqrt(variance)
    if round(error, DIGITS) == 0:
        return mean, mean, float(round(mean, DIGITS) == 0)
    freedom = variance**2 / sum(part**2 / own_freedom for part, own_freedom in parts)
    reach = error * stats.t.ppf(0.975, freedom)
    return mean - reach, mean + reach, float(2 * stats.t.sf(abs(mean) / error, freedom))


def holm(p: np.ndarray) -> np.ndarray:
    """Return p values corrected by Holm's step-down method (1979), which needs no independence of the tests.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none is smaller than one before it, none
    above 1. NaN, a pair that could not be tested, stays NaN and is no part of the family.
    """
    corrected = np.full(len(p), math.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return corrected


def verdict(low: float, high: float, p_holm: float, direction: str) -> str:
    """Return which is better (`first`, `second`), `open` where neither is shown to be, or `disagree`.

    A claim needs both: an interval without 0 and a corrected p (of the larger of the two tests) below 0.05. `disagree`
    says that there is one only.
    """
    outside, significant = low > 0 or high < 0, p_holm < LEVEL
    if outside and significant:
        return "first" if (low > 0) == (direction == "higher") else "second"
    return "disagree" if outside or significant else "open"


def over_seeds(table: np.ndarray) -> float:
    """Return the mean over seeds of the mean over images, as the tables have it; NaN without any value."""
    measured = table[~np.isnan(table).all(axis=1)]
    return float(np.nanmean(measured, axis=1).mean()) if measured.size else math.nan
