"""Ranking of an experiment's rows and its stability: would other test images give the same first row?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.evaluation.aggregate import METRICS
from segstudy.evaluation.bootstrap import RESAMPLES, bootstrap_interval, bootstrap_means
from segstudy.evaluation.paired_tests import DIGITS, over_seeds
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.pairwise import NAMES, Scores, score_tables

COLUMNS = ["dataset", "phantom", "row", *NAMES, "class", "region", "policy", "metric", "mean", "low", "high"]
COLUMNS += ["rank", "rank_low", "rank_high", "first", "images", "seeds"]


def rank_rows(inputs: ExperimentInputs, metric: str) -> pd.DataFrame:
    """Return the rows of every data set from best to worst by the mean of `metric` over test images and seeds.

    Trained rows have ranks; controls and variants (whose `row` is `gain`) have none, and stand among them at their
    value: an ensemble ahead of its own networks says nothing of which network is best.

    Args:
        metric: a name of METRICS.

    Returns:
        COLUMNS; `low` and `high` are the interval of the experiment's table, `rank` 1 is the best (rows of the same
        mean share the mean of their ranks), `rank_low` and `rank_high` hold 95 % of the resamples' ranks, and `first`
        is the share of resamples in which no other network was better (equals share it).

    Raises:
        StudyError: as `segstudy.tables.counts.read_counts` and `headline`, and if there is no test image.
    """
    tables = score_tables(inputs.headline(), metric, [row for row, _ in inputs.variants])
    parts = [ranked(scores, METRICS[metric].direction) for scores in tables]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["row"])
    if not rows["row"].eq("cell").any():
        raise StudyError(
            f"experiment '{inputs.experiment}' has no test image to rank by", remedy="give its splits a test set"
        )
    return rows.assign(metric=metric, phantom=rows["dataset"].isin(list(inputs.phantoms)).astype(int))[COLUMNS]


def ranked(scores: Scores, direction: str) -> pd.DataFrame:
    """Return the rows of one data set, best first, without the columns `metric` and `phantom`."""
    sign = 1 if direction == "higher" else -1
    networks = scores.networks
    ranks = dict(zip(networks, stability(sign * np.stack([scores.rows[key] for key in networks])), strict=True))
    rows = []
    for key, table in scores.rows.items():
        low, high = bootstrap_interval(table)
        measured, variant = scores.measured[key], scores.variants.get(key)
        seeds = 1 if variant and len(variant.seeds) > 1 else int(measured.any(axis=1).sum())
        rows.append(
            {"dataset": scores.dataset, "row": "gain" if variant else key[0], **dict(zip(NAMES, key[1:], strict=True))}
            | {"class": scores.class_name, "region": scores.region}
            | {"policy": scores.policy if key[0] == "cell" else "none"}
            | {"mean": over_seeds(table), "low": low, "high": high}
            | ranks.get(key, dict.fromkeys(["rank", "rank_low", "rank_high", "first"], np.nan))
            | {"images": int(measured.any(axis=0).sum()), "seeds": seeds}
        )
    order = pd.DataFrame(rows).sort_values("mean", ascending=sign < 0, kind="stable", na_position="last")
    return order.reset_index(drop=True)


def stability(tables: np.ndarray, resamples: int = RESAMPLES) -> list[dict[str, float]]:
    """Return rank, the range of 95 % of its resamples, and the share of resamples as first, for every row.

    Args:
        tables: (rows, seeds, images), more is better; NaN where there is no value. A row without any is the last.
        resamples: number of bootstrap samples; images and seeds are drawn once for all rows.
    """
    means = _comparable(bootstrap_means(tables, resamples))
    resampled = pd.DataFrame(-means).rank().to_numpy()
    first = means == means.max(axis=0)
    share = (first / first.sum(axis=0)).mean(axis=1)
    ranks = pd.Series(-_comparable(np.array([over_seeds(table) for table in tables]))).rank()
    ends = np.quantile(resampled, [0.025, 0.975], axis=1, method="closest_observation")
    names = ("rank", "rank_low", "rank_high", "first")
    return [dict(zip(names, map(float, row), strict=True)) for row in zip(ranks, *ends, share, strict=True)]


def _comparable(means: np.ndarray) -> np.ndarray:
    """Return rounded means: those that differ by the order of summation alone become equal, NaN the smallest."""
    return np.nan_to_num(np.round(means, DIGITS), nan=-np.inf)
