"""The comparison of an experiment by class: which parts of a picture does a network find?

For data sets of several classes, each counted against all others. The value of a class is that of its pixel counts
summed over the test images, as is usual for data sets of this kind: many classes are absent from most images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.evaluation import Policy
from segstudy.core.errors import StudyError
from segstudy.core.files import write_csv, write_text
from segstudy.evaluation.aggregate import MEAN, summarise
from segstudy.evaluation.metrics import COUNTS, METRICS
from segstudy.tables.captions import BOLD, Protocol, dataset_words, several_seeds, threshold_words
from segstudy.tables.content import best_of, name_columns, row_names, title_of
from segstudy.tables.counts import KEYS, headline, read_counts
from segstudy.tables.render import DASH, FORMATS, Entry, Line, Panel, Table
from segstudy.tables.results import pooled_intervals

SHOWN = ("iou", "dice")
WRITTEN = ("iou", "dice", "sensitivity", "precision")
STATISTICS = ("pooled", "pooled_sd", "pooled_low", "pooled_high", "mean", "sd", "undefined")
COLUMNS = ["dataset", "phantom", "row", "model", "loss", "recipe", "class", "share", "region", "policy"]
COLUMNS += [*(f"{metric}_{name}" for metric in WRITTEN for name in STATISTICS), "images", "seeds"]


def compare_classes(
    cells: Sequence[tuple[Cell, str | Path]],
    controls: Sequence[tuple[str, int, str | Path]],
    *,
    experiment: str,
    question: str,
    policy: Policy,
    regions: Mapping[str, str],
    protocols: Mapping[str, Protocol],
    outputs: Mapping[str, str | Path],
) -> None:
    """Compare the cells and controls of an experiment on each class of its data sets of several classes.

    Args:
        cells: each cell with the path of its `counts.csv`, in the order of the config.
        controls: (data set, seed, path of the controls' counts).
        experiment: its name.
        question: what it is to answer; stands above the tables.
        policy: threshold policy of the data sets of one class, which are not shown.
        regions: data set -> `roi` or `full`.
        protocols: data set -> what its captions say.
        outputs: paths of `csv` (one row for each network or control and class, the mean over the classes among them,
            unrounded), `md`, `tex` and `html` (a table for each data set and metric, a column for each class).

    Raises:
        StudyError: if there is no cell, a file lacks columns or rows, or no data set has several classes in its test
            images.
    """
    shown = headline(read_counts(cells, controls), policy, regions)
    kinds = shown.groupby("dataset")["class"].transform("nunique")
    test = shown[(kinds > 1) & (shown["subset"] == "test")]
    if test.empty:
        raise StudyError(
            f"experiment '{experiment}' has no test image of a data set of several classes",
            remedy="give its splits a test set",
        )
    rows = by_class(test)
    rows.insert(1, "phantom", [int(protocols[name]["phantom"]) for name in rows["dataset"]])
    write_csv(outputs["csv"], rows[COLUMNS])
    table = _table(rows, shown[kinds > 1], experiment, question, protocols)
    for name, spell in FORMATS.items():
        write_text(outputs[name], spell(table))


def by_class(test: pd.DataFrame) -> pd.DataFrame:
    """Return one row per KEYS and class, class MEAN first, with the COLUMNS but `phantom`.

    `share` is that of the class among the pixels of the test images by the truth (mean over seeds; empty for the mean);
    for the statistics see `segstudy.tables.results.compare`.
    """
    keys = [*KEYS, "class"]
    summary = summarise(test, KEYS)
    ends = pooled_intervals(test)
    sums = test.groupby([*keys, "seed"], sort=False)[list(COUNTS)].sum()
    shares = ((sums["tp"] + sums["fn"]) / sums.sum(axis=1)).groupby(level=keys, sort=False).mean()
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in summary[summary["metric"].isin(WRITTEN)].to_dict("records"):
        key = tuple(row[name] for name in keys)
        target = rows.setdefault(key, {name: row[name] for name in [*keys, "region", "policy", "images", "seeds"]})
        target["share"] = shares.get(key)
        if row["averaging"] == "image":
            found = {"mean": row["mean"], "sd": row["sd"], "undefined": row["undefined"]}
            target["seeds"] = max(target["seeds"], row["seeds"])
        else:
            low, high = ends[(*key, "test")][row["metric"]]
            found = {"pooled": row["mean"], "pooled_sd": row["sd"], "pooled_low": low, "pooled_high": high}
        target |= {f"{row['metric']}_{name}": value for name, value in found.items()}
    return pd.DataFrame(list(rows.values()))


def _table(
    rows: pd.DataFrame, shown: pd.DataFrame, experiment: str, question: str, protocols: Mapping[str, Protocol]
) -> Table:
    datasets = list(rows["dataset"].unique())
    phantoms = tuple(name for name in datasets if protocols[name]["phantom"])
    seeds = "; means over seeds ± standard deviation over seeds" if several_seeds(shown) else ""
    names = name_columns(rows.assign(**{"class": ""}))  # the classes are columns here
    return Table(
        label=f"{experiment}:classes",
        title=title_of(f"Experiment {experiment} by class", phantoms),
        question=question,
        phantoms=phantoms,
        protocol=[
            *(dataset_words(name, shown, protocols[name]) for name in datasets),
            threshold_words(shown),
            "Each class is counted against all others; values are those of its pixel counts summed over the test "
            f"images{seeds}. In brackets: the share of the class among the pixels of the test images, by the truth.",
            BOLD,
        ],
        name_heads=tuple(name.capitalize() for name in names),
        panels=[_panel(rows[rows["dataset"] == name], metric, names) for name in datasets for metric in SHOWN],
    )


def _panel(rows: pd.DataFrame, metric: str, names: Sequence[str]) -> Panel:
    """Return the table of one data set and metric: a line for each network or control, a column for each class."""
    dataset, value = rows["dataset"].iloc[0], f"{metric}_pooled"
    rows = rows.reset_index(drop=True)
    networks = rows[rows["row"] == "cell"]
    best = {i for _, part in networks.groupby("class") for i in best_of(part[value], METRICS[metric].direction)}
    lines = []
    for _, own in rows.groupby(KEYS, sort=False):
        entries = [Entry(row[value], row[f"{value}_sd"], int(str(i)) in best) for i, row in own.iterrows()]
        first: Mapping[Any, Any] = own.iloc[0].to_dict()
        lines.append(Line(dataset, row_names(first, names), first["row"] == "control", tuple(entries)))
    heads = tuple(_head(row["class"], row["share"]) for row in networks.drop_duplicates("class").to_dict("records"))
    label = METRICS[metric].label
    absent = f"{DASH} {label} of a class that neither truth nor prediction shows in any test image is not defined."
    notes = [absent] if rows[value].isna().any() else []
    return Panel(f"{dataset}:{metric}", f"{label} on {dataset}", heads, lines, notes)


def _head(name: str, share: float) -> str:
    return "mean" if name == MEAN else f"{name.replace('_', ' ')} ({share:.1%})"
