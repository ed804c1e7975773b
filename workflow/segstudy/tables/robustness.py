"""Robustness: the score of every network over the strength of each corruption, and the area under this curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.corruptions import CLEAN
from segstudy.evaluation.bootstrap import bootstrap_interval
from segstudy.evaluation.metrics import COLUMNS as COUNTED
from segstudy.evaluation.paired_tests import over_seeds
from segstudy.tables.counts import KEYS, headline
from segstudy.tables.counts_check import read_measured
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.pairwise import NAMES, Row, Scores, score_tables

LEVEL = ["corruption", "strength"]
COLUMNS = ["dataset", "phantom", *NAMES, "class", "region", "policy", "metric", *LEVEL, "clean", "mean", "low", "high"]
COLUMNS += ["area", "area_low", "area_high", "images", "seeds"]
BETWEEN = "\n"  # between the parts of a level's name: no name of a data set holds it


def robustness_rows(inputs: ExperimentInputs, files: Sequence[str | Path], metric: str) -> pd.DataFrame:
    """Return every network at every strength of every corruption, the images as they are among them.

    `mean`, `low` and `high` are over images and seeds, as in the experiment's table. `area` is the area under the curve
    of one kind, by the trapezoid rule over the strengths that were measured and the clean image, divided by their
    range: the mean score over the strengths, each as wide as its neighbours are apart. Its interval is that of the mean
    of each image's own area, images and seeds drawn as for any other metric.

    Args:
        files: `corruptions.csv` of each of its cells, in their order.
        metric: a name of METRICS.

    Returns:
        COLUMNS; `clean` is 1 where nothing is corrupted.
    """
    clean = inputs.headline()
    counts = corrupted_counts([cell for cell, _ in inputs.cells], files)
    regions = {name: inputs.regions.get(name.split(BETWEEN)[0], "full") for name in counts["dataset"].unique()}
    own = {scores.dataset: scores for scores in score_tables(clean[clean["row"] == "cell"], metric)}
    levels: dict[tuple[str, str], dict[float, Scores]] = {}
    for scores in score_tables(headline(counts, inputs.policy, regions), metric):
        dataset, kind, strength = scores.dataset.split(BETWEEN)
        levels.setdefault((dataset, kind), {})[float(strength)] = scores
    rows: list[dict[str, Any]] = []
    for (dataset, kind), curve in levels.items():
        whole = dict(sorted({CLEAN[kind]: own[dataset], **curve}.items()))
        fixed = {"dataset": dataset, "phantom": int(dataset in inputs.phantoms), "corruption": kind, "metric": metric}
        for key in own[dataset].networks:
            rows += [fixed | row for row in _curve(key, whole, CLEAN[kind])]
    return pd.DataFrame(rows)[COLUMNS]


def corrupted_counts(cells: Sequence[Cell], files: Sequence[str | Path]) -> pd.DataFrame:
    """Return the counts of all cells as `tables.counts.read_counts` does, a data set of their own for each level."""
    parts = []
    for cell, path in zip(cells, files, strict=True):
        table = read_measured(path, [*LEVEL, *COUNTED])
        strengths = table["strength"].astype(float).map(repr)
        names = cell.dataset + BETWEEN + table["corruption"] + BETWEEN + strengths
        of_cell: dict[str, Any] = dict(zip(NAMES, cell[1:4], strict=True)) | {"row": "cell", "seed": cell.seed}
        parts.append(table.assign(dataset=names, **of_cell)[[*KEYS, "seed", *COUNTED]])
    return pd.concat(parts, ignore_index=True)


def area(strengths: Sequence[float], values: np.ndarray) -> np.ndarray:
    """Return the area under curves (strengths, ...) by the trapezoid rule, divided by the range of the strengths."""
    return np.asarray(np.trapezoid(values, strengths, axis=0) / (max(strengths) - min(strengths)))


def _curve(key: Row, curve: dict[float, Scores], clean: float) -> list[dict[str, Any]]:
    """Return a row for each strength of one network and kind."""
    under = area(list(curve), np.stack([scores.rows[key] for scores in curve.values()]))
    low, high = bootstrap_interval(under)
    of_curve = {"area": over_seeds(under), "area_low": low, "area_high": high}
    rows = []
    for strength, scores in curve.items():
        low, high = bootstrap_interval(scores.rows[key])
        measured = scores.measured[key]
        rows.append(
            dict(zip(NAMES, key[1:], strict=True))
            | {"class": scores.class_name, "region": scores.region, "policy": scores.policy}
            | {"strength": strength, "clean": int(strength == clean)}
            | {"mean": over_seeds(scores.rows[key]), "low": low, "high": high}
            | of_curve
            | {"images": int(measured.any(axis=0).sum()), "seeds": int(measured.any(axis=1).sum())}
        )
    return rows
