"""The comparison of an experiment by stratum (diagnosis, tissue class) and by class (window, door).

By stratum: tables 2 to 5 of the EBHI-SEG report ("Performance scores per class"), for every data set that has strata.
By class: for data sets of several classes, each counted against all others. The value of a class is that of its pixel
counts summed over the test images, since many classes are absent from most images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv, write_csv
from segstudy.evaluation.aggregate import MEAN, headline_classes, summarise
from segstudy.evaluation.metrics import COUNTS, METRICS
from segstudy.tables.captions import BOLD, MEAN_OF_IMAGE, average_words, count, several_seeds, threshold_words
from segstudy.tables.content import (
    UndefinedValue,
    best_of,
    experiment_table,
    name_columns,
    row_names,
    short_name,
    undefined_notes,
)
from segstudy.tables.counts import KEYS
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.render import DASH, Entry, Line, Panel, write_formats
from segstudy.tables.results import pooled_intervals

STRATUM_METRICS = ("dice", "iou", "pixel_error")
CLASS_METRICS = ("iou", "dice", "sensitivity", "precision")
CLASS_STATISTICS = ("pooled", "pooled_sd", "pooled_low", "pooled_high", "mean", "sd", "undefined")
NO_STRATUM = "no stratum"  # images whose stratum is not known, in a data set that has strata


class Grouping(NamedTuple):
    """What the columns of a table are: strata or classes."""

    column: str  # of the rows
    part: str  # of the table's label
    metrics: tuple[str, ...]  # a panel each
    mean: str  # the column of a metric's value
    sd: str
    heads: Callable[[pd.DataFrame], dict[str, str]]  # rows of networks -> heads of the groups, in order
    notes: Callable[[pd.DataFrame, str, Sequence[str]], list[str]]  # of rows, metric and columns that name a row


def compare_strata(inputs: ExperimentInputs, indexes: Mapping[str, str | Path]) -> None:
    """Compare the cells and controls of an experiment on the test images of each stratum.

    Args:
        inputs: of the experiment. Outputs are `csv` (one row for each network or control and stratum, unrounded),
            `md`, `tex` and `html` (a table for each data set and metric, a column for each stratum). Without strata in
            any data set the csv has no row and the others say so.
        indexes: data set -> path of its `index.csv`, which holds the strata.

    Raises:
        StudyError: if there is no cell, a file lacks columns or rows, or no count belongs to the policy.
    """
    counts = inputs.headline()
    rows = by_stratum(counts, {name: read_csv(path) for name, path in indexes.items()})
    datasets = list(rows["dataset"].unique())
    others = ", ".join(name for name in counts["dataset"].unique() if name not in datasets)
    protocol = []
    if datasets:
        average = average_words(counts, "the test images of a stratum")
        protocol += [threshold_words(counts), f"{average}; n is their number per seed.", BOLD]
    if rows["class"].eq(MEAN).any():
        protocol.append(MEAN_OF_IMAGE)
    if others:
        none = f"No data set of this experiment ({others}) has strata."
        protocol.append(f"Without strata: {others}." if datasets else none)
    names = name_columns(rows) if datasets else ["model", "loss"]
    _write(inputs, counts, rows, STRATA, names, protocol)


def compare_classes(inputs: ExperimentInputs) -> None:
    """Compare the cells and controls of an experiment on each class of its data sets of several classes.

    Args:
        inputs: of the experiment. Outputs are `csv` (one row for each network or control and class, the mean over the
            classes among them, unrounded), `md`, `tex` and `html` (a table for each data set and metric, a column for
            each class).

    Raises:
        StudyError: if there is no cell, a file lacks columns or rows, or no data set has several classes in its test
            images.
    """
    counts = inputs.headline()
    counts = counts[counts.groupby("dataset")["class"].transform("nunique") > 1]
    test = counts[counts["subset"] == "test"]
    if test.empty:
        raise StudyError(
            f"experiment '{inputs.experiment}' has no test image of a data set of several classes",
            remedy="give its splits a test set",
        )
    rows = by_class(test)
    seeds = "; means over seeds ± standard deviation over seeds" if several_seeds(counts) else ""
    protocol = [
        threshold_words(counts),
        "Each class is counted against all others; values are those of its pixel counts summed over the test "
        f"images{seeds}. In brackets: the share of the class among the pixels of the test images, by the truth.",
        BOLD,
    ]
    names = name_columns(rows.assign(**{"class": ""}))  # the classes are columns here
    _write(inputs, counts, rows, CLASSES, names, protocol)


def by_stratum(counts: pd.DataFrame, indexes: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return mean and sd of each of STRATUM_METRICS over the test images of each stratum.

    The value of one seed is the mean over its images of the stratum; mean and sd (ddof 1) are taken over the seeds
    that have a value.

    Args:
        counts: see `segstudy.tables.counts.headline`.
        indexes: data set -> its index. Data sets that have no strata at all have no row in the result.

    Returns:
        One row per KEYS and stratum, of several classes their mean; strata are sorted, NO_STRATUM is the last.
        `images` is their number per seed, `seeds` the number of seeds whose test images have the stratum.
    """
    statistics = ("mean", "sd", "undefined")
    columns = [*KEYS, "class", "stratum", "region", "policy"]
    columns += [*(f"{metric}_{name}" for metric in STRATUM_METRICS for name in statistics), "images", "seeds"]
    strata = pd.concat([index[["sample", "stratum"]].assign(dataset=name) for name, index in indexes.items()])
    has_strata = strata["stratum"].ne("").groupby(strata["dataset"]).transform("any")
    test = counts[counts["subset"] == "test"].merge(
        strata[has_strata], on=["dataset", "sample"], validate="many_to_one"
    )
    if test.empty:
        return pd.DataFrame(columns=columns)
    summary = summarise(test, [*KEYS, "stratum"])
    summary = headline_classes(summary, [*KEYS, "stratum", "subset", "region", "policy", "metric", "averaging"])
    summary = summary[(summary["averaging"] == "image") & summary["metric"].isin(STRATUM_METRICS)]
    keys = [*KEYS, "class", "stratum", "region", "policy", "images", "seeds"]
    wide = summary.pivot(index=keys, columns="metric", values=list(statistics))
    wide.columns = wide.columns.map("{0[1]}_{0[0]}".format)
    integers = {f"{metric}_undefined": "Int64" for metric in STRATUM_METRICS} | {"seeds": "int"}
    rows = wide.reset_index().astype(integers)
    order = {key: rank for rank, key in enumerate(counts[KEYS].drop_duplicates().itertuples(index=False, name=None))}
    ranks = [(order[tuple(row[:-1])], row[-1] == "", row[-1]) for row in rows[[*KEYS, "stratum"]].to_numpy().tolist()]
    rows = rows.iloc[sorted(range(len(rows)), key=ranks.__getitem__)].reset_index(drop=True)
    return rows.assign(stratum=rows["stratum"].replace("", NO_STRATUM))[columns]


def by_class(test: pd.DataFrame) -> pd.DataFrame:
    """Return one row per KEYS and class, class MEAN first.

    `share` is that of the class among the pixels of the test images by the truth (mean over seeds; empty for the mean);
    for the statistics see `segstudy.tables.results.compare`.
    """
    keys = [*KEYS, "class"]
    summary = summarise(test, KEYS)
    intervals = pooled_intervals(test)
    sums = test.groupby([*keys, "seed"], sort=False)[list(COUNTS)].sum()
    shares = ((sums["tp"] + sums["fn"]) / sums.sum(axis=1)).groupby(level=keys, sort=False).mean()
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in summary[summary["metric"].isin(CLASS_METRICS)].to_dict("records"):
        key = tuple(row[name] for name in keys)
        target = rows.setdefault(key, {name: row[name] for name in [*keys, "region", "policy", "images", "seeds"]})
        target["share"] = shares.get(key)
        if row["averaging"] == "image":
            statistics = {name: row[name] for name in ("mean", "sd", "undefined")}
            target["seeds"] = max(target["seeds"], row["seeds"])
        else:
            low, high = intervals[(*key, "test")][row["metric"]]
            statistics = {"pooled": row["mean"], "pooled_sd": row["sd"], "pooled_low": low, "pooled_high": high}
        target |= {f"{row['metric']}_{name}": value for name, value in statistics.items()}
    columns = [*keys, "share", "region", "policy"]
    columns += [*(f"{metric}_{name}" for metric in CLASS_METRICS for name in CLASS_STATISTICS), "images", "seeds"]
    return pd.DataFrame(list(rows.values()))[columns]


def _write(
    inputs: ExperimentInputs,
    counts: pd.DataFrame,
    rows: pd.DataFrame,
    grouping: Grouping,
    names: Sequence[str],
    protocol: Sequence[str],
) -> None:
    rows.insert(1, "phantom", rows["dataset"].isin(list(inputs.phantoms)).astype(int))
    write_csv(inputs.outputs["csv"], rows)
    datasets = list(rows["dataset"].unique())
    panels = [
        _panel(rows[rows["dataset"] == name], metric, grouping, names)
        for name in datasets
        for metric in grouping.metrics
    ]
    title = f" by {grouping.column}"
    table = experiment_table(inputs, counts, datasets, protocol, names, panels, title=title, part=grouping.part)
    write_formats(table, inputs.outputs)


def _panel(rows: pd.DataFrame, metric: str, grouping: Grouping, names: Sequence[str]) -> Panel:
    """Return the table of one data set and metric: a line for each network or control, a column for each group."""
    dataset, label, networks = rows["dataset"].iloc[0], METRICS[metric].label, rows[rows["row"] == "cell"]
    mean, sd, undefined = grouping.mean.format(metric), grouping.sd.format(metric), f"{metric}_undefined"
    groups = networks.groupby(grouping.column)
    best = {i for _, group in groups for i in best_of(group[mean], METRICS[metric].direction)}
    heads = grouping.heads(networks)
    lines = []
    for _, line in rows.groupby(KEYS, sort=False):
        entries = {
            row[grouping.column]: Entry(
                row[mean], row[sd], int(str(i)) in best, int(row[undefined]) if grouping is STRATA else 0
            )
            for i, row in line.iterrows()
        }
        first: Mapping[Any, Any] = line.iloc[0].to_dict()
        numbers = tuple(entries.get(name, Entry()) for name in heads)
        lines.append(Line(dataset, row_names(first, names), first["row"] == "control", numbers))
    notes = grouping.notes(rows, metric, names)
    return Panel(f"{dataset}:{metric}", f"{label} on {dataset}", tuple(heads.values()), lines, notes)


def _stratum_heads(networks: pd.DataFrame) -> dict[str, str]:
    images = networks.groupby("stratum")["images"].max()
    names = sorted(images.index, key=lambda name: (name == NO_STRATUM, name))
    return {name: f"{_words(name)} (n = {count(images[name])})" for name in names}


def _stratum_notes(rows: pd.DataFrame, metric: str, names: Sequence[str]) -> list[str]:
    undefined_values = []
    for row in rows.to_dict("records"):
        where, total = f"{short_name(row, names)} on {row['stratum']}", round(row["images"] * row["seeds"])
        undefined, mean = int(row[f"{metric}_undefined"]), row[f"{metric}_mean"]
        undefined_values.append(UndefinedValue(metric, where, undefined, total, pd.isna(mean)))
    networks = rows[rows["row"] == "cell"]
    seeds, most = networks.groupby("stratum")["seeds"].max(), networks["seeds"].max()
    rare = [f"{_words(name)} ({seeds[name]} of {most})" for name in _stratum_heads(networks) if seeds[name] < most]
    return undefined_notes(undefined_values) + [f"Not in the test images of every seed: {', '.join(rare)}."] * bool(
        rare
    )


def _class_heads(networks: pd.DataFrame) -> dict[str, str]:
    rows = networks.drop_duplicates("class").to_dict("records")
    return {
        row["class"]: "mean" if row["class"] == MEAN else f"{_words(row['class'])} ({row['share']:.1%})" for row in rows
    }


def _class_notes(rows: pd.DataFrame, metric: str, names: Sequence[str]) -> list[str]:
    label = METRICS[metric].label
    absent = f"{DASH} {label} of a class that neither truth nor prediction shows in any test image is not defined."
    return [absent] if rows[f"{metric}_pooled"].isna().any() else []


def _words(name: str) -> str:
    return name.replace("_", " ")


STRATA = Grouping("stratum", "strata", STRATUM_METRICS, "{}_mean", "{}_sd", _stratum_heads, _stratum_notes)
CLASSES = Grouping("class", "classes", ("iou", "dice"), "{}_pooled", "{}_pooled_sd", _class_heads, _class_notes)
