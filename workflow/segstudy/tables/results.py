"""The comparison of an experiment: counts of its cells and controls in, one tidy and one readable table out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.evaluation import Policy
from segstudy.core.files import write_csv, write_text
from segstudy.core.progress import track
from segstudy.evaluation.aggregate import (
    MEAN,
    ORACLE,
    class_means,
    headline_classes,
    of_sums,
    summarise,
)
from segstudy.evaluation.bootstrap import bootstrap_interval, bootstrap_pooled
from segstudy.evaluation.metrics import METRICS, SUMMABLE, measured
from segstudy.tables.captions import Protocol
from segstudy.tables.columns import SEVEN, upper_bounds
from segstudy.tables.content import SUBSETS, readable
from segstudy.tables.counts import KEYS, headline, image_scores, read_counts
from segstudy.tables.missing import Missing, with_missing_cells, with_missing_rows
from segstudy.tables.render import FORMATS
from segstudy.tables.timing import time_words, training_times

STATISTICS = ("mean", "sd", "low", "high", "undefined")


POOLED = ("pooled", "pooled_sd", "pooled_low", "pooled_high")


TIDY = [*KEYS, "class", "subset", "region", "policy", "metric", "averaging"]


TIDY += ["mean", "sd", "images", "seeds", "undefined"]


def compare(
    cells: Sequence[tuple[Cell, str | Path]],
    controls: Sequence[tuple[str, int, str | Path]],
    runs: Sequence[tuple[Cell, str | Path]],
    *,
    experiment: str,
    question: str,
    policy: Policy,
    regions: Mapping[str, str],
    protocols: Mapping[str, Protocol],
    outputs: Mapping[str, str | Path],
    metrics: Sequence[str] = SEVEN,
    tolerance: float = 2,
    notes: Sequence[str] = (),
    missing: Missing = (),
) -> None:
    """Compare the cells of an experiment with each other and with the controls.

    Args:
        cells: each cell with the path of its `counts.csv`, in the order of the config.
        controls: (data set, seed, path of the controls' counts).
        runs: each cell with the path of its `run.json`, for the times of training.
        experiment: its name.
        question: what it is to answer; stands above the table.
        policy: threshold policy of the readable table.
        regions: data set -> `roi` or `full`, the region of the readable table; an image without a roi counts in full.
        protocols: data set -> what its captions say.
        outputs: paths of `tidy` (every metric, subset, region and policy, see docs/file-formats.md), `csv` (headline
            policy and region, one row for each network and control, unrounded; of several classes their mean), `md`,
            `tex` and `html` (three decimals).
        metrics: columns of the readable table where there is one foreground class; the others have all that was
            measured.
        tolerance: of the surface Dice, in pixels.
        notes: sentences that end the protocol.
        missing: cells of the experiment that are not there, and why: the table then says so.

    Raises:
        StudyError: if there is no cell, a file lacks columns or rows, or no count belongs to `policy`.
    """
    counts = read_counts(cells, controls)
    write_csv(outputs["tidy"], summarise(counts, KEYS)[TIDY])
    shown = headline(counts, policy, regions)
    wide = _wide(shown, {name: protocol["phantom"] for name, protocol in protocols.items()})
    bounds = headline(counts[counts["policy"] == ORACLE], ORACLE, regions)
    wide = wide.merge(upper_bounds(bounds, KEYS), on=KEYS, how="left")
    wide = wide.merge(training_times(runs), on=["dataset", "model", "loss", "recipe"], how="left")
    write_csv(outputs["csv"], with_missing_rows(wide, missing) if missing else wide)
    table = readable(wide, shown, experiment, question, protocols, [*time_words(runs), *notes], metrics, tolerance)
    for name, spell in FORMATS.items():
        write_text(outputs[name], spell(with_missing_cells(table, missing, len(runs) + len(missing))))


def intervals(shown: pd.DataFrame, subsets: Sequence[str], metrics: Sequence[str]) -> dict[tuple, tuple[float, float]]:
    """Return (KEYS..., class, subset, metric) -> 95 % bootstrap interval of the mean over seeds and images.

    Of several classes, the interval is that of their mean, class MEAN.
    """
    images = image_scores(shown[shown["subset"].isin(subsets)])
    found = {}
    groups = images.groupby([*KEYS, "class", "subset"], sort=False, dropna=False)
    for key, rows in track(groups, "intervals", total=groups.ngroups):
        seed, seeds = pd.factorize(rows["seed"])
        sample, samples = pd.factorize(rows["sample"])
        for metric in metrics:
            values = np.full((len(seeds), len(samples)), math.nan)
            values[seed, sample] = rows[metric]
            found[(*key, metric)] = bootstrap_interval(values)
    return found


def pooled_intervals(shown: pd.DataFrame) -> dict[tuple, dict[str, tuple[float, float]]]:
    """Return (KEYS..., class, subset) -> metric -> 95 % bootstrap interval of the mean over seeds of the pooled value.

    Of several classes there is one for each class, and one for their mean, class MEAN.
    """
    found = {}
    summed = [name for name in SUMMABLE if name in shown]
    groups = shown.groupby([*KEYS, "subset"], sort=False, dropna=False)
    for (*key, subset), rows in track(groups, "pooled intervals", total=groups.ngroups):
        seed, seeds = pd.factorize(rows["seed"])
        sample, samples = pd.factorize(rows["sample"])
        kind, kinds = pd.factorize(rows["class"])
        table = np.zeros((len(seeds), len(samples), len(kinds), len(summed)))
        table[seed, sample, kind] = rows[summed].fillna(0)  # NaN: not measured for these rows

        def named(sums: np.ndarray) -> dict[str, np.ndarray]:
            return dict(zip(summed, np.moveaxis(sums, -1, 0), strict=True))

        for place, name in enumerate(kinds):
            found[(*key, name, subset)] = bootstrap_pooled(table[:, :, place], lambda sums: of_sums(named(sums)))
        if len(kinds) > 1:
            found[(*key, MEAN, subset)] = bootstrap_pooled(table, lambda sums: class_means(named(sums)))
    return found


def _wide(shown: pd.DataFrame, phantoms: Mapping[str, bool]) -> pd.DataFrame:
    """Return one row per network or control, with a column for each subset, metric and statistic."""
    metrics = list(measured(shown))
    ranges, pooled_ranges = intervals(shown, list(SUBSETS), metrics), pooled_intervals(shown)
    summary = headline_classes(summarise(shown, KEYS), [*KEYS, "subset", "region", "policy", "metric", "averaging"])
    rows: dict[tuple, dict[str, Any]] = {}
    for key in summary[[*KEYS, "class"]].drop_duplicates().itertuples(index=False, name=None):
        names = dict(zip([*KEYS, "class"], key, strict=True))
        rows[key] = {"dataset": names.pop("dataset"), "phantom": int(phantoms.get(key[0], False)), **names}
    for row in summary.to_dict("records"):
        target = rows[tuple(row[name] for name in [*KEYS, "class"])]
        target |= {"region": row["region"], "policy": row["policy"]}
        name = f"{row['subset']}_{row['metric']}"
        if row["averaging"] == "pooled":
            low, high = pooled_ranges[(*(row[key] for key in [*KEYS, "class", "subset"]),)][row["metric"]]
            statistics = {"pooled": row["mean"], "pooled_sd": row["sd"], "pooled_low": low, "pooled_high": high}
            target |= {f"{name}_{key}": value for key, value in statistics.items()}
            continue
        low, high = ranges[(*(row[key] for key in [*KEYS, "class", "subset", "metric"]),)]
        statistics = {"mean": row["mean"], "sd": row["sd"], "low": low, "high": high, "undefined": row["undefined"]}
        target |= {f"{name}_{key}": value for key, value in statistics.items()}
        target |= {f"{row['subset']}_images": row["images"], "seeds": max(row["seeds"], target.get("seeds", 0))}
    columns = ["dataset", "phantom", "row", "model", "loss", "recipe", "class", "region", "policy"]
    columns += [
        f"{subset}_{metric}_{name}"
        for subset in SUBSETS
        for metric in metrics
        for name in STATISTICS[:-1] + POOLED * METRICS[metric].pooled + STATISTICS[-1:]
    ]
    columns += [*(f"{s}_images" for s in SUBSETS), "seeds"]
    table = pd.DataFrame(list(rows.values())).reindex(columns=columns)
    whole = [name for name in columns if name.endswith("_undefined")]
    return table.astype(dict.fromkeys(whole, "Int64"))
