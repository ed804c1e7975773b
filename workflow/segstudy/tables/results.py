"""The comparison of an experiment: counts of its cells and controls in, one tidy and one readable table out."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segstudy.core.files import write_csv, write_json
from segstudy.core.progress import track
from segstudy.evaluation.aggregate import MEAN, ORACLE, class_means, headline_classes, of_sums, summarise
from segstudy.evaluation.bootstrap import bootstrap_interval, bootstrap_pooled
from segstudy.evaluation.metrics import METRICS, SUMMABLE, measured
from segstudy.tables.columns import SEVEN, upper_bounds
from segstudy.tables.content import SUBSETS, readable
from segstudy.tables.counts import KEYS, headline, image_scores
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.missing import Missing, with_missing_cells, with_missing_rows
from segstudy.tables.policies import policy_panels, policy_scores
from segstudy.tables.render import write_formats
from segstudy.tables.timing import time_words, training_times
from segstudy.tables.variants import variant_words

STATISTICS = ("mean", "sd", "low", "high", "undefined")
POOLED = ("pooled", "pooled_sd", "pooled_low", "pooled_high")
TIDY = [*KEYS, "class", "subset", "region", "policy", "metric", "averaging"]
TIDY += ["mean", "sd", "images", "seeds", "undefined"]


def compare(
    inputs: ExperimentInputs,
    runs: Sequence[str | Path],
    metrics: Sequence[str] = SEVEN,
    tolerance: float = 2,
    missing: Missing = (),
) -> None:
    """Compare the cells of an experiment with each other and with the controls.

    Args:
        inputs: of the experiment. Outputs are `tidy` (every metric, subset, region and policy, see
            docs/file-formats.md), `csv` (headline policy and region, one row for each network and control, unrounded;
            of several classes their mean), `md`, `tex`
            and `html` (three decimals), and `protocol`, the sentences of the caption, where it is asked for.
        runs: `run.json` of each cell, in their order, for the times of training.
        metrics: columns of the readable table where there is one foreground class; the other files have all metrics
            that were measured.
        tolerance: of the surface Dice, in pixels.
        missing: cells of the experiment that are not finished, and why: the table then says so.

    Raises:
        StudyError: if there is no cell, a file lacks columns or rows, or no count belongs to the policy.
    """
    all_counts, outputs = inputs.counts(), inputs.outputs
    write_csv(outputs["tidy"], summarise(all_counts, KEYS)[TIDY])
    counts = headline(all_counts, inputs.policy, inputs.regions)
    wide = wide_rows(counts, inputs.phantoms)
    bounds = headline(all_counts[all_counts["policy"] == ORACLE], ORACLE, inputs.regions)
    wide = wide.merge(upper_bounds(bounds, KEYS), on=KEYS, how="left")
    trained = [(cell, path) for (cell, _), path in zip(inputs.cells, runs, strict=True)]
    wide = wide.merge(training_times(trained), on=["dataset", "model", "loss", "recipe"], how="left")
    write_csv(outputs["csv"], with_missing_rows(wide, missing) if missing else wide)
    variants = [row for row, _ in inputs.variants]
    notes = [*time_words(trained), *variant_words(variants)]
    scores = policy_scores(all_counts, inputs.regions, metrics[0], variants)
    by_policy = policy_panels(scores, metrics[0], inputs.policy, inputs.phantoms)
    table = readable(inputs, wide, counts, notes, metrics, tolerance, by_policy)
    if "protocol" in outputs:
        write_json(outputs["protocol"], table.protocol)
    write_formats(with_missing_cells(table, missing, len(runs) + len(missing)), outputs)


def intervals(counts: pd.DataFrame, subsets: Sequence[str], metrics: Sequence[str]) -> dict[tuple, tuple[float, float]]:
    """Return (KEYS..., class, subset, metric) -> 95 % bootstrap interval of the mean over seeds and images.

    Of several classes, the interval is that of their mean, class MEAN.
    """
    images = image_scores(counts[counts["subset"].isin(subsets)])
    ends = {}
    groups = images.groupby([*KEYS, "class", "subset"], sort=False, dropna=False)
    for key, rows in track(groups, "intervals", total=groups.ngroups):
        seed, seeds = pd.factorize(rows["seed"])
        sample, samples = pd.factorize(rows["sample"])
        for metric in metrics:
            values = np.full((len(seeds), len(samples)), math.nan)
            values[seed, sample] = rows[metric]
            ends[(*key, metric)] = bootstrap_interval(values)
    return ends


def pooled_intervals(counts: pd.DataFrame) -> dict[tuple, dict[str, tuple[float, float]]]:
    """Return (KEYS..., class, subset) -> metric -> 95 % bootstrap interval of the mean over seeds of the pooled value.

    Of several classes there is one for each class, and one for their mean, class MEAN.
    """
    ends = {}
    summed = [name for name in SUMMABLE if name in counts]
    groups = counts.groupby([*KEYS, "subset"], sort=False, dropna=False)
    for (*key, subset), rows in track(groups, "pooled intervals", total=groups.ngroups):
        seed, seeds = pd.factorize(rows["seed"])
        sample, samples = pd.factorize(rows["sample"])
        class_id, classes = pd.factorize(rows["class"])
        table = np.zeros((len(seeds), len(samples), len(classes), len(summed)))
        table[seed, sample, class_id] = rows[summed].fillna(0)  # NaN: not measured for these rows

        def named(sums: np.ndarray) -> dict[str, np.ndarray]:
            return dict(zip(summed, np.moveaxis(sums, -1, 0), strict=True))

        for i, name in enumerate(classes):
            ends[(*key, name, subset)] = bootstrap_pooled(table[:, :, i], lambda sums: of_sums(named(sums)))
        if len(classes) > 1:
            ends[(*key, MEAN, subset)] = bootstrap_pooled(table, lambda sums: class_means(named(sums)))
    return ends


def wide_rows(counts: pd.DataFrame, phantoms: Collection[str]) -> pd.DataFrame:
    """Return one row per network or control, with a column for each subset, metric and statistic."""
    metrics = list(measured(counts))
    ranges, pooled_ranges = intervals(counts, list(SUBSETS), metrics), pooled_intervals(counts)
    summary = headline_classes(summarise(counts, KEYS), [*KEYS, "subset", "region", "policy", "metric", "averaging"])
    rows: dict[tuple, dict[str, Any]] = {}
    for key in summary[[*KEYS, "class"]].drop_duplicates().itertuples(index=False, name=None):
        names = dict(zip([*KEYS, "class"], key, strict=True))
        rows[key] = {"dataset": names.pop("dataset"), "phantom": int(key[0] in phantoms), **names}
    for row in summary.to_dict("records"):
        target = rows[tuple(row[name] for name in [*KEYS, "class"])]
        target |= {"region": row["region"], "policy": row["policy"]}
        name = f"{row['subset']}_{row['metric']}"
        if row["averaging"] == "pooled":
            low, high = pooled_ranges[(*(row[key] for key in [*KEYS, "class", "subset"]),)][row["metric"]]
            statistics = {"pooled": row["mean"], "pooled_sd": row["sd"], "pooled_low": low, "pooled_high": high}
        else:
            low, high = ranges[(*(row[key] for key in [*KEYS, "class", "subset", "metric"]),)]
            statistics = {"mean": row["mean"], "sd": row["sd"], "low": low, "high": high, "undefined": row["undefined"]}
            target |= {f"{row['subset']}_images": row["images"], "seeds": max(row["seeds"], target.get("seeds", 0))}
        target |= {f"{name}_{key}": value for key, value in statistics.items()}
    columns = ["dataset", "phantom", "row", "model", "loss", "recipe", "class", "region", "policy"]
    columns += [
        f"{subset}_{metric}_{name}"
        for subset in SUBSETS
        for metric in metrics
        for name in STATISTICS[:-1] + POOLED * METRICS[metric].pooled + STATISTICS[-1:]
    ]
    columns += [*(f"{s}_images" for s in SUBSETS), "seeds"]
    table = pd.DataFrame(list(rows.values())).reindex(columns=columns)
    return table.astype({name: "Int64" for name in columns if name.endswith("_undefined")})
