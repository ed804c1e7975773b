"""What the readable comparison table says: rows, best values, footnotes and the protocol in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from segstudy.metrics import METRICS
from segstudy.table_captions import BOLD, Protocol, average_words, count, dataset_words, several_seeds, threshold_words
from segstudy.table_formats import DAGGER, DASH, Entry, Line, Panel, Table

SUBSETS = {"test": "Test images", "val": "Validation images", "train": "Training images"}
FIRST = "dice"  # the metric that also stands pooled and with its interval
NAMED = 12  # rows that a footnote names; more would bury the table


class Missing(NamedTuple):
    """A value of the table that some images have not."""

    metric: str
    where: str  # row and data set, as a footnote names them
    images: int  # without a value, summed over seeds
    total: int
    none: bool  # no image has one


def readable(
    wide: pd.DataFrame,
    shown: pd.DataFrame,
    experiment: str,
    question: str,
    protocols: Mapping[str, Protocol],
    times: Sequence[str] = (),
) -> Table:
    """Return the content of the readable table.

    Args:
        wide: one row for each network or control (and class), as in the table's csv.
        shown: the counts behind it (see `segstudy.tables.headline`).
        experiment: its name.
        question: what it is to answer.
        protocols: data set -> what its captions say.
        times: what is said of the times of training.
    """
    datasets = list(wide["dataset"].unique())
    phantoms = tuple(name for name in datasets if protocols[name]["phantom"])
    names = name_columns(wide)
    measured = [subset for subset in SUBSETS if wide[f"{subset}_images"].notna().any()]
    return Table(
        label=experiment,
        title=title_of(f"Experiment {experiment}", phantoms),
        question=question,
        phantoms=phantoms,
        protocol=[
            *(dataset_words(name, shown, protocols[name]) for name in datasets),
            *_general_words(shown),
            *times,
        ],
        name_heads=tuple(name.capitalize() for name in names),
        panels=[
            _panel(wide[wide[f"{subset}_images"].notna()], subset, names, timed=subset == measured[0])
            for subset in measured
        ],
    )


def title_of(words: str, phantoms: Sequence[str]) -> str:
    """Return a table's title, naming the data sets that are drawn."""
    return words + (f" (PHANTOM data: {', '.join(phantoms)})" if phantoms else "")


def name_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns that name a row: recipe and class only where there are several."""
    optional = {
        "recipe": rows.loc[rows["row"] == "cell", "recipe"].nunique() > 1,
        "class": rows.groupby("dataset")["class"].nunique().max() > 1,
    }
    return ["model", "loss", *(name for name, wanted in optional.items() if wanted)]


def _panel(wide: pd.DataFrame, subset: str, names: Sequence[str], timed: bool) -> Panel:
    """Return the panel of one subset; a training's time, which no subset has of its own, stands in one of them."""
    best = _best(wide, subset)
    rows = wide.to_dict("records")
    lines = []
    for i, row in enumerate(rows):
        own = {name: _entry(row, f"{subset}_{name}", (i, name) in best) for name in METRICS}
        pooled = Entry(row[f"{subset}_{FIRST}_pooled"], row[f"{subset}_{FIRST}_pooled_sd"], (i, "pooled") in best)
        low, high = row[f"{subset}_{FIRST}_low"], row[f"{subset}_{FIRST}_high"]
        interval = Entry(text=DASH if pd.isna(low) else f"{low:.3f}{DASH}{high:.3f}")
        images, seeds = row[f"{subset}_images"], row["seeds"]
        others = [entry for name, entry in own.items() if name != FIRST]
        numbers = [own[FIRST], interval, pooled, *others, Entry(text=count(images)), Entry(text=f"{seeds}")]
        numbers += [Entry(text=_seconds(row["seconds_mean"]))] if timed else []
        lines.append(Line(row["dataset"], row_names(row, names), row["row"] == "control", tuple(numbers)))
    label = METRICS[FIRST].label
    heads = [label, f"{label} 95 % interval", f"{label} pooled"]
    heads += [metric.label for name, metric in METRICS.items() if name != FIRST]
    heads += ["Images", "Seeds", *(["Time (s)"] if timed else [])]
    return Panel(subset, SUBSETS[subset], tuple(heads), lines, _notes(rows, subset))


def _seconds(mean: float) -> str:
    return DASH if pd.isna(mean) else f"{mean:.0f}" if mean >= 10 else f"{mean:.1f}"


def _entry(row: Mapping[Any, Any], name: str, bold: bool) -> Entry:
    return Entry(row[f"{name}_mean"], row[f"{name}_sd"], bold, int(row[f"{name}_undefined"]))


def row_names(row: Mapping[Any, Any], names: Sequence[str]) -> tuple[str, ...]:
    """Return what stands in the columns `names` of a row."""
    if row["row"] == "cell":
        return tuple(row[name] for name in names)
    words = {"model": row["model"].replace("_", " "), "loss": "control", "recipe": "", "class": row["class"]}
    return tuple(words[name] for name in names)


def best_of(values: pd.Series, direction: str) -> set[int]:
    """Return the labels of the best values; one value alone is not the best.

    Values are compared as they are printed: of two that read the same, neither is better.
    """
    printed = values.round(3)
    target = printed.max() if direction == "higher" else printed.min()
    return {int(str(i)) for i in printed.index[printed == target]} if printed.notna().sum() > 1 else set()


def _best(wide: pd.DataFrame, subset: str) -> set[tuple[int, str]]:
    """Return (row, column) of the best networks of every data set and class."""
    columns = {name: (f"{subset}_{name}_mean", metric.direction) for name, metric in METRICS.items()}
    columns["pooled"] = (f"{subset}_{FIRST}_pooled", METRICS[FIRST].direction)
    best = set()
    networks = wide.reset_index(drop=True)[(wide["row"] == "cell").to_numpy()]
    for _, rows in networks.groupby(["dataset", "class"], sort=False):
        for name, (column, direction) in columns.items():
            best |= {(i, name) for i in best_of(rows[column], direction)}
    return best


def _notes(rows: Sequence[Mapping[Any, Any]], subset: str) -> list[str]:
    """Return the footnotes: which values are not defined for how many images, and why."""
    found = []
    for row in rows:
        where, total = f"{short_name(row)} on {row['dataset']}", round(row[f"{subset}_images"] * row["seeds"])
        for metric in METRICS:
            undefined, mean = int(row[f"{subset}_{metric}_undefined"]), row[f"{subset}_{metric}_mean"]
            found.append(Missing(metric, where, undefined, total, pd.isna(mean)))
    notes = undefined_notes(found)
    if any(pd.isna(row[f"{subset}_{FIRST}_low"]) for row in rows):
        notes.append(f"{DASH} as an interval: fewer than two images have a value.")
    return notes


def short_name(row: Mapping[Any, Any]) -> str:
    """Return how a footnote names a row."""
    return "/".join(part for part in row_names(row, ["model", "loss"]) if part != "control")


def undefined_notes(values: Sequence[Missing]) -> list[str]:
    """Return one footnote for each metric that some images have not, and one for each that none has."""
    some: dict[str, list[str]] = {}
    none: dict[str, list[str]] = {}
    for value in values:
        if value.images:
            kind = none if value.none else some
            kind.setdefault(value.metric, []).append(f"{value.where} ({value.images} of {value.total})")
    notes = [
        f"{DAGGER} {METRICS[metric].label} is not defined for images where the denominator of "
        f"{METRICS[metric].formula} is 0; these, summed over seeds, are left out of the mean: {_first(found)}."
        for metric, found in some.items()
    ]
    return notes + [
        f"{DASH} {METRICS[metric].label} is not defined for any image, since the denominator of "
        f"{METRICS[metric].formula} is 0: {_first(found)}."
        for metric, found in none.items()
    ]


def _first(found: Sequence[str]) -> str:
    more = f" and {len(found) - NAMED} more, see the columns 'undefined' of the csv" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def _general_words(shown: pd.DataFrame) -> list[str]:
    label = METRICS[FIRST].label
    return [
        threshold_words(shown),
        f"{average_words(shown)}; pooled {label} is the ratio of the pixel counts summed over all images; intervals "
        "are 95 % bootstrap intervals over images" + (" and seeds." if several_seeds(shown) else "."),
        BOLD,
    ]
