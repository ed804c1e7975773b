"""Content of the readable comparison table: rows, best values, footnotes and the protocol in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from segstudy.evaluation.aggregate import MEAN
from segstudy.evaluation.metrics import METRICS
from segstudy.tables.captions import (
    BOLD,
    average_words,
    count,
    dataset_words,
    measure_words,
    several_seeds,
    threshold_words,
)
from segstudy.tables.columns import SEVEN, SEVERAL, UPPER_BOUND, UPPER_BOUND_WORDS, Column, one_class
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.render import DAGGER, DASH, Entry, Line, Panel, Table, title_of

SUBSETS = {"test": "Test images", "val": "Validation images", "train": "Training images"}
NAMED = 12  # rows that a footnote names; more would bury the table


class UndefinedValue(NamedTuple):
    """A value of the table that is not defined for some images."""

    metric: str
    where: str  # row and data set, as a footnote names them
    images: int  # without a value, summed over seeds
    total: int
    none: bool  # no image has one


def readable(
    inputs: ExperimentInputs,
    wide: pd.DataFrame,
    counts: pd.DataFrame,
    notes: Sequence[str] = (),
    metrics: Sequence[str] = SEVEN,
    tolerance: float = 2,
    by_policy: Sequence[Panel] = (),
) -> Table:
    """Return the content of the readable table.

    Args:
        wide: one row for each network or control, as in the table's csv.
        counts: the counts behind it (see `segstudy.tables.counts.headline`).
        notes: sentences that end the protocol.
        metrics: columns where there is one foreground class.
        tolerance: of the surface Dice, in pixels.
        by_policy: panels that follow the one of test images.
    """
    names = name_columns(wide)
    measured = [subset for subset in SUBSETS if wide[f"{subset}_images"].notna().any()]
    several = wide["class"].eq(MEAN)
    parts = [
        (wide[rows], columns) for rows, columns in ((~several, one_class(metrics)), (several, SEVERAL)) if rows.any()
    ]
    protocol = [
        threshold_words(counts),
        *averaging_words(counts, not several.all(), bool(several.any())),
        *measure_words(metrics if not several.all() else (), tolerance),
        *([UPPER_BOUND_WORDS] if wide["test_dice_oracle_mean"].notna().any() else []),
        BOLD,
        *notes,
    ]
    panels = []
    for subset in measured:
        panels += [
            subset_panel(part[part[f"{subset}_images"].notna()], subset, names, columns, timed=subset == measured[0])
            for part, columns in parts
            if part[f"{subset}_images"].notna().any()
        ]
        panels += by_policy if subset == "test" else []
    return experiment_table(inputs, counts, wide["dataset"].unique(), protocol, names, panels)


def experiment_table(
    inputs: ExperimentInputs,
    counts: pd.DataFrame,
    datasets: Iterable[str],
    protocol: Sequence[str],
    names: Sequence[str],
    panels: list[Panel],
    *,
    title: str = "",
    part: str = "",
) -> Table:
    """Return a table of an experiment; its protocol begins with a sentence for each data set.

    Args:
        counts: what it was measured from (see `segstudy.tables.counts.headline`).
        datasets: those of the table.
        protocol: the other sentences of the caption.
        names: heads of the columns that name a row.
        panels: its rows.
        title: what follows the experiment's name in the title.
        part: what follows it in the LaTeX label.
    """
    datasets = list(datasets)
    phantoms = tuple(name for name in datasets if name in inputs.phantoms)
    return Table(
        label=":".join(filter(None, [inputs.experiment, part])),
        title=title_of(f"Experiment {inputs.experiment}{title}", phantoms),
        question=inputs.question,
        phantoms=phantoms,
        protocol=[*(dataset_words(name, counts, inputs.protocols[name]) for name in datasets), *protocol],
        name_heads=tuple(name.capitalize() for name in names),
        panels=panels,
    )


def name_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns that name a row: recipe and class only where there are several."""
    optional = {
        "recipe": rows.loc[rows["row"] == "cell", "recipe"].nunique() > 1,
        "class": rows.groupby("dataset")["class"].nunique().max() > 1,
    }
    return ["model", "loss", *(name for name, wanted in optional.items() if wanted)]


def subset_panel(
    wide: pd.DataFrame, subset: str, names: Sequence[str], columns: Sequence[Column], timed: bool
) -> Panel:
    """Return the panel of one subset, a line for each row of `wide`, of which `names` are the columns that name it.

    `timed`: with the time of training, which belongs to no subset and stands in the first panel.
    """
    best = _best(wide, subset, columns)
    rows = wide.to_dict("records")
    lines = []
    bounded = subset == "test" and columns is not SEVERAL and "test_dice_oracle_mean" in wide
    bounded = bounded and bool(wide["test_dice_oracle_mean"].notna().any())
    for i, row in enumerate(rows):
        numbers = [_entry(row, subset, column, (i, column.head) in best) for column in columns]
        numbers += [Entry(row["test_dice_oracle_mean"], row["test_dice_oracle_sd"])] if bounded else []
        numbers += [Entry(text=count(row[f"{subset}_images"])), Entry(text=f"{row['seeds']}")]
        numbers += [Entry(text=_seconds(row["seconds_mean"]))] if timed else []
        lines.append(Line(row["dataset"], row_names(row, names), row["row"] == "control", tuple(numbers)))
    heads = [
        *(column.head for column in columns),
        *([UPPER_BOUND] if bounded else []),
        "Images",
        "Seeds",
        *(["Time (s)"] if timed else []),
    ]
    over_classes = columns is SEVERAL
    title = SUBSETS[subset] + ", means over classes" * over_classes
    return Panel(subset + ":several" * over_classes, title, tuple(heads), lines, _notes(rows, subset, columns, names))


def _seconds(mean: float) -> str:
    return DASH if pd.isna(mean) else f"{mean:.0f}" if mean >= 10 else f"{mean:.1f}"


def _entry(row: Mapping[Any, Any], subset: str, column: Column, bold: bool) -> Entry:
    if column.interval:
        low, high = (row[column.name(subset, end)] for end in ("low", "high"))
        return Entry(text=DASH if pd.isna(low) else f"{low:.3f}{DASH}{high:.3f}")
    undefined = row[column.name(subset, "undefined")] if column.averaging == "image" else 0
    undefined = 0 if pd.isna(undefined) else int(undefined)  # none where it was not measured
    return Entry(row[column.name(subset, "mean")], row[column.name(subset, "sd")], bold, undefined)


def row_names(row: Mapping[Any, Any], names: Sequence[str]) -> tuple[str, ...]:
    """Return the texts of the columns `names` of a row."""
    if row["row"] != "control":
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


def _best(wide: pd.DataFrame, subset: str, columns: Sequence[Column]) -> set[tuple[int, str]]:
    """Return (row, head of the column) of the best networks of every data set and policy."""
    best = set()
    networks = wide.reset_index(drop=True)[(wide["row"] == "cell").to_numpy()]
    for _, rows in networks.groupby(["dataset", "class", "policy"], sort=False):
        for column in columns:
            if not column.interval:
                metric = METRICS[column.metric]
                value = column._replace(metric=metric.ranked_by or column.metric).name(subset, "mean")
                best |= {(i, column.head) for i in best_of(rows[value], metric.direction)}
    return best


def _notes(
    rows: Sequence[Mapping[Any, Any]], subset: str, columns: Sequence[Column], names: Sequence[str]
) -> list[str]:
    """Return the footnotes: which values are not defined for how many images, and why."""
    undefined_values: list[UndefinedValue] = []
    unmeasured: dict[str, list[str]] = {}
    metrics = [column.metric for column in columns if column.averaging == "image" and not column.interval]
    for row in rows:
        where, total = f"{short_name(row, names)} on {row['dataset']}", round(row[f"{subset}_images"] * row["seeds"])
        for metric in metrics:
            undefined, mean = row[f"{subset}_{metric}_undefined"], row[f"{subset}_{metric}_mean"]
            if pd.isna(undefined):
                unmeasured.setdefault(short_name(row, names), []).append(METRICS[metric].label)
            else:
                undefined_values.append(UndefinedValue(metric, where, int(undefined), total, pd.isna(mean)))
    notes = undefined_notes(undefined_values)
    by_labels: dict[str, list[str]] = {}
    for name, labels in unmeasured.items():
        by_labels.setdefault(", ".join(dict.fromkeys(labels)), []).append(name)
    notes += [f"{DASH} Not measured of {_first(rows_without)}: {labels}." for labels, rows_without in by_labels.items()]
    lows = [column.name(subset, "low") for column in columns if column.interval]
    if any(pd.isna(row[low]) for row in rows for low in lows):
        notes.append(f"{DASH} as an interval: fewer than two images have a value.")
    return notes


def short_name(row: Mapping[Any, Any], names: Sequence[str]) -> str:
    """Return the name of a row in a footnote: the texts of its columns `names`."""
    return "/".join(part for part in row_names(row, names) if part not in ("", "control"))


def undefined_notes(values: Sequence[UndefinedValue]) -> list[str]:
    """Return a footnote for each metric that is not defined for some images, and for each that is for none."""
    some: dict[str, list[str]] = {}
    none: dict[str, list[str]] = {}
    for value in values:
        if value.images:
            rows = (none if value.none else some).setdefault(value.metric, [])
            rows.append(f"{value.where} ({value.images} of {value.total})")
    notes = [
        f"{DAGGER} {METRICS[metric].label} is not defined for images where "
        f"{METRICS[metric].when_undefined}; these, summed over seeds, are left out of the mean: {_first(rows)}."
        for metric, rows in some.items()
    ]
    return notes + [
        f"{DASH} {METRICS[metric].label} is not defined for any image, since "
        f"{METRICS[metric].when_undefined}: {_first(rows)}."
        for metric, rows in none.items()
    ]


def _first(rows: Sequence[str]) -> str:
    more = f" and {len(rows) - NAMED} more, see the columns 'undefined' of the csv" if len(rows) > NAMED else ""
    return ", ".join(rows[:NAMED]) + more


def averaging_words(counts: pd.DataFrame, one: bool = True, several: bool = False) -> list[str]:
    """Return how the values of data sets of one class, and of several, are averaged."""
    seeds = several_seeds(counts)
    ends = "intervals are 95 % bootstrap intervals over images" + (" and seeds." if seeds else ".")
    words = []
    if one:
        pooled = f"pooled Dice is the ratio of the pixel counts summed over all images; {ends}"
        words.append(f"{average_words(counts)}; {pooled}")
    if several:
        words.append(
            "Several classes: mean IoU, Dice and sensitivity are means over the classes of what the pixel counts of "
            "each, summed over all images, give"
            + (", then means over seeds ± standard deviation over seeds" if seeds else "")
            + "; per image, the mean is over the classes that its truth or prediction shows; pixel accuracy is the "
            f"share of all pixels whose class is right; {ends}"
        )
    return words
