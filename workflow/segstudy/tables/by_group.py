"""The comparison of an experiment by stratum (diagnosis, tissue class): on which images is a network good?

These are tables 2 to 5 of the EBHI-SEG report ("Performance scores per class"), for every data set that has strata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.evaluation import Policy
from segstudy.core.files import read_csv, write_csv, write_text
from segstudy.evaluation.aggregate import MEAN, headline_classes, summarise
from segstudy.evaluation.metrics import METRICS
from segstudy.tables.captions import BOLD, Protocol, average_words, count, dataset_words, threshold_words
from segstudy.tables.content import Missing, best_of, name_columns, row_names, short_name, title_of, undefined_notes
from segstudy.tables.counts import KEYS, headline, read_counts
from segstudy.tables.render import FORMATS, Entry, Line, Panel, Table

SHOWN = ("dice", "iou", "pixel_error")
STATISTICS = ("mean", "sd", "undefined")
ROW = [*KEYS, "class"]
COLUMNS = ["dataset", "phantom", "row", "model", "loss", "recipe", "class", "stratum", "region", "policy"]
COLUMNS += [*(f"{metric}_{name}" for metric in SHOWN for name in STATISTICS), "images", "seeds"]
NONE = "no stratum"  # images whose stratum nothing tells, in a data set that has strata


def compare_strata(
    cells: Sequence[tuple[Cell, str | Path]],
    controls: Sequence[tuple[str, int, str | Path]],
    indexes: Mapping[str, str | Path],
    *,
    experiment: str,
    question: str,
    policy: Policy,
    regions: Mapping[str, str],
    protocols: Mapping[str, Protocol],
    outputs: Mapping[str, str | Path],
) -> None:
    """Compare the cells and controls of an experiment on the test images of each stratum.

    Args:
        cells: each cell with the path of its `counts.csv`, in the order of the config.
        controls: (data set, seed, path of the controls' counts).
        indexes: data set -> path of its `index.csv`, which knows the strata.
        experiment: its name.
        question: what it is to answer; stands above the tables.
        policy: threshold policy.
        regions: data set -> `roi` or `full`.
        protocols: data set -> what its captions say.
        outputs: paths of `csv` (one row for each network or control and stratum, unrounded), `md`, `tex` and
            `html` (a table for each data set and metric, a column for each stratum). Without strata in any data set
            the csv has no row and the others say so.

    Raises:
        StudyError: if there is no cell, a file lacks columns or rows, or no count belongs to `policy`.
    """
    shown = headline(read_counts(cells, controls), policy, regions)
    rows = by_stratum(shown, {name: read_csv(path) for name, path in indexes.items()})
    rows.insert(1, "phantom", [int(protocols[name]["phantom"]) for name in rows["dataset"]])
    write_csv(outputs["csv"], rows[COLUMNS])
    table = _table(rows, shown, experiment, question, protocols)
    for name, spell in FORMATS.items():
        write_text(outputs[name], spell(table))


def by_stratum(shown: pd.DataFrame, indexes: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return mean and sd of each metric of SHOWN over the test images of each stratum.

    The value of one seed is the mean over its images of the stratum; mean and sd (ddof 1) are taken over the seeds
    that have a value.

    Args:
        shown: counts, see `segstudy.tables.counts.headline`.
        indexes: data set -> its index. Data sets that have no strata at all have no row in the result.

    Returns:
        One row per KEYS and stratum with the COLUMNS but `phantom`, of several classes their mean; strata are sorted,
        NONE is the last.
        `images` is their number per seed, `seeds` the number of seeds whose test images have the stratum.
    """
    strata = pd.concat([index[["sample", "stratum"]].assign(dataset=name) for name, index in indexes.items()])
    has_strata = strata["stratum"].ne("").groupby(strata["dataset"]).transform("any")
    test = shown[shown["subset"] == "test"].merge(strata[has_strata], on=["dataset", "sample"], validate="many_to_one")
    if test.empty:
        return pd.DataFrame(columns=[name for name in COLUMNS if name != "phantom"])
    summary = summarise(test, [*KEYS, "stratum"])
    summary = headline_classes(summary, [*KEYS, "stratum", "subset", "region", "policy", "metric", "averaging"])
    summary = summary[(summary["averaging"] == "image") & summary["metric"].isin(SHOWN)]
    keys = [*ROW, "stratum", "region", "policy", "images", "seeds"]
    wide = summary.pivot(index=keys, columns="metric", values=list(STATISTICS))
    wide.columns = wide.columns.map("{0[1]}_{0[0]}".format)
    whole = {f"{metric}_undefined": "Int64" for metric in SHOWN}
    order = {key: place for place, key in enumerate(shown[KEYS].drop_duplicates().itertuples(index=False, name=None))}
    rows = wide.astype(whole).reset_index().astype(dict.fromkeys(["seeds"], int))
    place = [(order[tuple(row[:-1])], row[-1] == "", row[-1]) for row in rows[[*KEYS, "stratum"]].to_numpy().tolist()]
    rows = rows.iloc[sorted(range(len(rows)), key=place.__getitem__)].reset_index(drop=True)
    return rows.assign(stratum=rows["stratum"].replace("", NONE))


def _table(
    rows: pd.DataFrame, shown: pd.DataFrame, experiment: str, question: str, protocols: Mapping[str, Protocol]
) -> Table:
    datasets = list(rows["dataset"].unique())
    others = [name for name in shown["dataset"].unique() if name not in datasets]
    phantoms = tuple(name for name in datasets if protocols[name]["phantom"])
    protocol = [dataset_words(name, shown, protocols[name]) for name in datasets]
    if datasets:
        average = average_words(shown, "the test images of a stratum")
        protocol += [threshold_words(shown), f"{average}; n is their number per seed.", BOLD]
        if rows["class"].eq(MEAN).any():
            protocol.append("Several classes: of each image, the mean over those that its truth or prediction shows.")
    if others:
        some = ", ".join(others)
        protocol.append(
            f"Without strata: {some}." if datasets else f"No data set of this experiment ({some}) has strata."
        )
    names = name_columns(rows) if datasets else ["model", "loss"]
    return Table(
        label=f"{experiment}:strata",
        title=title_of(f"Experiment {experiment} by stratum", phantoms),
        question=question,
        phantoms=phantoms,
        protocol=protocol,
        name_heads=tuple(name.capitalize() for name in names),
        panels=[_panel(rows[rows["dataset"] == name], metric, names) for name in datasets for metric in SHOWN],
    )


def _panel(rows: pd.DataFrame, metric: str, names: Sequence[str]) -> Panel:
    """Return the table of one data set and metric: a line for each network or control, a column for each stratum."""
    dataset, networks = rows["dataset"].iloc[0], rows[rows["row"] == "cell"]
    best = {i for _, part in networks.groupby(["class", "stratum"]) for i in best_of(*_ranked(part, metric))}
    strata = sorted(rows["stratum"].unique(), key=lambda name: (name == NONE, name))
    lines, missing = [], []
    for _, own in rows.groupby(ROW, sort=False):
        values = {row["stratum"]: (int(str(i)), row) for i, row in own.iterrows()}
        entries = [_entry(*values[name], metric, best) if name in values else Entry() for name in strata]
        first: Mapping[Any, Any] = own.iloc[0].to_dict()
        lines.append(Line(dataset, row_names(first, names), first["row"] == "control", tuple(entries)))
        for name, (_, row) in values.items():
            where, total = f"{short_name(first, names)} on {name}", round(row["images"] * row["seeds"])
            missing.append(
                Missing(metric, where, int(row[f"{metric}_undefined"]), total, pd.isna(row[f"{metric}_mean"]))
            )
    images = networks.groupby("stratum")["images"].max()
    seeds, most = networks.groupby("stratum")["seeds"].max(), networks["seeds"].max()
    rare = [f"{_words(name)} ({seeds[name]} of {most})" for name in strata if seeds[name] < most]
    notes = undefined_notes(missing)
    notes += [f"Not in the test images of every seed: {', '.join(rare)}."] if rare else []
    heads = tuple(f"{_words(name)} (n = {count(images[name])})" for name in strata)
    return Panel(f"{dataset}:{metric}", f"{METRICS[metric].label} on {dataset}", heads, lines, notes)


def _ranked(rows: pd.DataFrame, metric: str) -> tuple[pd.Series, str]:
    return rows[f"{metric}_mean"], METRICS[metric].direction


def _entry(place: int, row: pd.Series, metric: str, best: set[int]) -> Entry:
    return Entry(row[f"{metric}_mean"], row[f"{metric}_sd"], place in best, int(row[f"{metric}_undefined"]))


def _words(stratum: str) -> str:
    return stratum.replace("_", " ")
