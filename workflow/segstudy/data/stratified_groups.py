"""Choose whole units (groups of images) so that strata keep their proportions.

A unit is a row of a table of counts, int (units, strata): its images in each stratum. Most units hold one stratum;
a patient with two diagnoses holds two. The choice of units is random, its fit to the targets is optimised.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
ATTEMPTS = 20  # orders tried until every stratum has what it must have
MISSING = 1e6  # cost of a stratum that lacks a unit it must have: more than any misfit of counts


def draw(counts: Counts, share: float, leave: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return the rows of units that together hold about `share` of the images, sorted.

    In random order each unit is taken, or given back, when that brings the chosen images c nearer to the targets t:
    cost = sum_s (c_s - t_s)^2 / n_s + S (c - t)^2 / n over the S strata and, once these are settled, the total.
    Every stratum with more than `leave` units gives at least one and keeps at least `leave`; likewise the whole.

    Args:
        counts: int (units, strata).
        share: of the images, 0..1.
        leave: units of each stratum that must stay behind.
        random: decides the order, and with it which units are taken.
    """
    best, least = np.zeros(0, dtype=np.intp), np.inf
    for _ in range(ATTEMPTS):
        chosen, cost = _settle(counts, share, leave, random.permutation(len(counts)))
        if cost < least:
            best, least = chosen, cost
        if least < MISSING:
            break
    return best


def deal(counts: Counts, folds: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return the fold of every unit, int (units,), so that folds are alike in size and strata.

    Largest units first, equal ones in random order; each goes to the fold that lacks most of its strata, then to
    the one where the sum over folds of sum_s c_s^2 / n_s + S c^2 / n grows least (the idea of scikit-learn's
    StratifiedGroupKFold).
    """
    sizes, totals = counts.sum(axis=1), np.maximum(counts.sum(axis=0), 1)
    order = random.permutation(len(counts))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros((folds, counts.shape[1]))
    result = np.empty(len(counts), dtype=np.intp)
    for unit in order:
        images = counts[unit]
        growth = ((2 * filled + images) * images / totals).sum(axis=1)
        growth += counts.shape[1] * (2 * filled.sum(axis=1) + sizes[unit]) * sizes[unit] / totals.sum()
        growth += MISSING * ((filled > 0) & (images > 0)).sum(axis=1)
        result[unit] = fold = int(np.argmin(growth))
        filled[fold] += images
    return result


def _settle(counts: Counts, share: float, leave: int, order: NDArray[np.intp]) -> tuple[NDArray[np.intp], float]:
    """Flip units in `order` while that lowers the cost; return the chosen rows, sorted, and the cost."""
    # The total is one more column: the whole is treated as one more stratum, of more weight.
    table = np.column_stack([counts, counts.sum(axis=1)]).astype(float)
    totals = table.sum(axis=0)
    target = share * totals
    present = (table > 0).astype(float)
    units = present.sum(axis=0)
    needed = units > leave
    lowest, highest = np.where(needed, 1, 0), np.where(needed, units - leave, units)
    chosen = np.zeros(len(counts), dtype=bool)
    images, number = np.zeros_like(totals), np.zeros_like(totals)

    def cost(images: NDArray[np.float64], number: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
        missing = np.maximum(lowest - number, 0) + np.maximum(number - highest, 0)
        return float((weight * (images - target) ** 2).sum() + MISSING * missing.sum())

    # Strata first: while the total is far off, it would pull in more of a stratum that has enough.
    for importance in (0, counts.shape[1]):
        weight = np.append(np.ones(counts.shape[1]), importance) / np.maximum(totals, 1)
        now, changed = cost(images, number, weight), True
        while changed:
            changed = False
            for unit in order:
                sign = -1 if chosen[unit] else 1
                after = cost(images + sign * table[unit], number + sign * present[unit], weight)
                if after < now - 1e-9:
                    images, number = images + sign * table[unit], number + sign * present[unit]
                    chosen[unit], now, changed = sign > 0, after, True
    return np.flatnonzero(chosen), now
