"""The tables of the page: texts, and the values they are sorted by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from segstudy.core.names import title_of
from segstudy.evaluation.metrics import METRICS
from segstudy.tables.captions import SUBSET_WORDS
from segstudy.tables.columns import SEVERAL, Column, one_class
from segstudy.tables.pairwise_text import cut_words
from segstudy.tables.policies import HEADS
from segstudy.tables.render import DASH
from segstudy.tables.thresholds import threshold_words

NAMES = {"model": "Network", "loss": "Loss", "recipe": "Recipe"}
Settings = Mapping[str, Any]


class Value(NamedTuple):
    """One cell of a table: its text, its sorting value (text where it is no number), and its look."""

    text: str
    sort: float | str
    number: bool = False
    bold: bool = False


class Row(NamedTuple):
    """One row, and its values for the filters."""

    values: list[Value]
    control: bool
    filters: dict[str, str]


class Grid(NamedTuple):
    """A table of the page. `filters` are the choices of its lists: name -> values, the first chosen where `first`."""

    key: str
    caption: str
    heads: list[str]
    numbers: list[bool]
    rows: list[Row]
    filters: dict[str, list[str]]
    chosen: dict[str, str]
    notes: list[str] = []  # noqa: RUF012

    @property
    def kept(self) -> int:
        """The column that stays when a narrow window scrolls: of the names in front, that with most values."""
        front = next((i for i, number in enumerate(self.numbers) if number), len(self.numbers))
        kinds = [len({row.values[i].text for row in self.rows}) for i in range(front)]
        return kinds.index(max(kinds)) if kinds else 0


def words(text: str, sort: float | str | None = None) -> Value:
    """Return a cell that is text."""
    return Value(text or DASH, text if sort is None else sort)


def number(value: float, digits: int = 3, text: str = "", bold: bool = False) -> Value:
    """Return a cell that is a number; NaN is a dash and sorts last."""
    value = float(value)
    displayed = text or (DASH if math.isnan(value) else f"{value:.{digits}f}")
    return Value(displayed, "" if math.isnan(value) else value, True, bold)


def spread(mean: float, sd: float, digits: int = 3, bold: bool = False) -> Value:
    """Return a mean with its standard deviation over seeds, where there is one."""
    with_sd = "" if math.isnan(mean) or math.isnan(sd) else f"{mean:.{digits}f} ± {sd:.{digits}f}"
    return number(mean, digits, with_sd, bold)


def interval(low: float, high: float) -> Value:
    """Return a 95 % interval; it is sorted by its lower end."""
    return number(low, text=DASH if math.isnan(low) else f"{low:.3f} to {high:.3f}")


def results(key: str, table: pd.DataFrame, settings: Settings) -> list[Grid]:
    """Return the main tables of an experiment: one for its data sets of one foreground class, one for several.

    Args:
        table: `tables/<experiment>.csv`.
        settings: see `segstudy.report.settings`.
    """
    several = table["dataset"].map(lambda name: settings["datasets"][name]["several"]).astype(bool)
    metrics = one_class(settings["evaluation"]["metrics"])
    return [
        _results(f"{key}-{number_of_classes}", rows, columns, settings)
        for number_of_classes, rows, columns in (
            ("one", table[~several], metrics),
            ("several", table[several], SEVERAL),
        )
        if len(rows)
    ]


def _results(key: str, table: pd.DataFrame, columns: Sequence[Column], settings: Settings) -> Grid:
    subsets = [subset for subset in SUBSET_WORDS if table[f"{subset}_images"].gt(0).any()]
    columns = [column for column in columns if column.name("test", "mean") in table]
    names = name_columns(table)
    rows = []
    for subset in subsets:
        best = {column: _best(table, column, subset) for column in columns if not column.interval}
        for i, line in zip(table.index, table.to_dict("records"), strict=True):
            filters = {"data set": line["dataset"], "images": SUBSET_WORDS[subset]}
            values = _measures(line, columns, subset, best, i)
            values += [number(line[f"{subset}_images"], 0), number(line["seconds_mean"], 0)]
            rows.append(named_row(line, names, settings, filters, values))
    filters_of = {"data set": list(dict.fromkeys(table["dataset"])), "images": [SUBSET_WORDS[s] for s in subsets]}
    heads = ["Data set", *(NAMES[name] for name in names), *(column.head for column in columns), "Images", "Seconds"]
    return Grid(
        key,
        "Every row of the experiment. Networks: mean over images, then over seeds ± standard deviation over seeds.",
        heads,
        [*[False] * (1 + len(names)), *[True] * (len(columns) + 2)],
        rows,
        {name: values for name, values in filters_of.items() if len(values) > 1},
        {"images": SUBSET_WORDS[subsets[0]]},
        ["Bold: best network of its data set. Rows in italics are controls: they need no training."],
    )


def _measures(
    line: Mapping[Any, Any], columns: Sequence[Column], subset: str, best: Mapping[Column, set[Any]], i: Any
) -> list[Value]:
    values = []
    for column in columns:
        if column.interval:
            values.append(interval(line[column.name(subset, "low")], line[column.name(subset, "high")]))
        else:
            mean, sd = (line[column.name(subset, statistic)] for statistic in ("mean", "sd"))
            values.append(spread(mean, sd, bold=i in best[column]))
    return values


def _best(table: pd.DataFrame, column: Column, subset: str, of: Sequence[str] = ("dataset",)) -> set[Any]:
    """Return the index of the best networks of each data set, or of each of the columns `of`, as printed."""
    means = table.loc[table["row"].eq("cell"), column.name(subset, "mean")].round(3)
    groups = means.groupby([table[name] for name in of])
    edge = groups.transform("min" if METRICS[column.metric].direction == "lower" else "max")
    return set(means.index[means.eq(edge)])


def policies(key: str, table: pd.DataFrame, settings: Settings) -> Grid:
    """Return the networks at every threshold policy (`tables/<experiment>.thresholds.csv`)."""
    columns = [c for c in one_class(settings["evaluation"]["metrics"]) if c.name("test", "mean") in table]
    names = name_columns(table)
    best = {column: _best(table, column, "test", ["dataset", "policy"]) for column in columns if not column.interval}
    rows = []
    for i, line in zip(table.index, table.to_dict("records"), strict=True):
        filters = {
            "data set": line["dataset"],
            "chosen": HEADS.get(line["policy"], f"fixed, {line['threshold_low']:g}"),
        }
        values = [words(threshold_words(line), line["threshold_low"]), *_measures(line, columns, "test", best, i)]
        rows.append(named_row(line, names, settings, filters, values))
    heads = ["Data set", *(NAMES[name] for name in names), "Threshold", *(column.head for column in columns)]
    caption = (
        "Networks on test images, at every threshold that was measured: a number that was fixed beforehand, or the one "
        "that was chosen for each training (its range over seeds)."
    )
    grid = plain(key, caption, heads, rows)
    return grid._replace(notes=["Bold: best network of its data set at a policy."])


def reference(key: str, published: Mapping[str, Any]) -> Grid:
    """Return a published table (see `config.experiments.Reference`)."""
    metrics = [name for name in METRICS if any(name in row["values"] for row in published["rows"])]
    by_stratum = any(row["stratum"] for row in published["rows"])
    rows = []
    for row in published["rows"]:
        names = [words(row["row"]), *([words(row["stratum"] or "all")] if by_stratum else [])]
        values = [number(row["values"].get(name, math.nan)) for name in metrics]
        rows.append(Row([*names, *values], True, {"stratum": row["stratum"] or "all"} if by_stratum else {}))
    heads = ["Published row", *(["Stratum"] if by_stratum else []), *(METRICS[name].label for name in metrics)]
    grid = plain(key, f"Published, not measured here: {published['source']}.", heads, rows)
    return grid._replace(notes=[published["note"]] if published["note"] else [])


def strata(key: str, table: pd.DataFrame, settings: Settings) -> Grid:
    """Return the table by stratum (`tables/<experiment>.strata.csv`)."""
    metrics = [name for name in ("dice", "iou", "pixel_error") if f"{name}_mean" in table]
    names = name_columns(table)
    rows = []
    for line in table.to_dict("records"):
        filters = {"data set": line["dataset"], "stratum": line["stratum"]}
        values = [words(line["stratum"]), *(spread(line[f"{m}_mean"], line[f"{m}_sd"]) for m in metrics)]
        rows.append(named_row(line, names, settings, filters, [*values, number(line["images"], 0)]))
    heads = ["Data set", *(NAMES[name] for name in names), "Stratum", *(METRICS[m].label for m in metrics), "Images"]
    return plain(key, "Test images by stratum: mean over images, then over seeds ± standard deviation.", heads, rows)


def classes(key: str, table: pd.DataFrame, settings: Settings) -> Grid:
    """Return the table by class (`tables/<experiment>.classes.csv`)."""
    names = name_columns(table)
    rows = []
    for line in table.to_dict("records"):
        filters = {"data set": line["dataset"], "class": line["class"]}
        pooled = [spread(line[f"{m}_pooled"], line[f"{m}_pooled_sd"]) for m in ("iou", "dice")]
        values = [words(line["class"]), number(100 * line["share"], 1), pooled[0]]
        values += [interval(line["iou_pooled_low"], line["iou_pooled_high"]), pooled[1]]
        values += [number(line[f"{m}_pooled"]) for m in ("sensitivity", "precision")]
        rows.append(named_row(line, names, settings, filters, values))
    heads = ["Data set", *(NAMES[name] for name in names), "Class", "Share of pixels, %", "IoU", "IoU 95 % interval"]
    heads += ["Dice", "Sensitivity", "Precision"]
    return plain(key, "Test images by class: all pixels of all images together, mean over seeds.", heads, rows)


def comparisons(key: str, table: pd.DataFrame, settings: Settings) -> Grid:
    """Return the paired comparisons (`tables/<experiment>.comparisons.csv`)."""
    rows = []
    verdicts = {"first": "first is better", "second": "second is better", "open": "open"}
    names = [name for name in NAMES if name != "recipe" or len({*table["recipe_a"], *table["recipe_b"]}) > 1]
    for line in table.to_dict("records"):
        sides = ["/".join(str(line[f"{name}_{side}"]) for name in names) for side in ("a", "b")]
        verdict = verdicts.get(line["verdict"], "interval and test disagree")
        values = [words(side) for side in sides]
        values += [number(line["difference"], text=f"{line['difference']:+.3f}"), interval(line["low"], line["high"])]
        values += [number(line["p_holm"], text="< 0.001" if line["p_holm"] < 0.001 else ""), number(line["images"], 0)]
        filters = {"data set": line["dataset"], "verdict": verdict}
        rows.append(Row([dataset_name(line["dataset"], settings), *values, words(verdict)], False, filters))
    metric = table["metric"].iloc[0]
    heads = [
        "Data set",
        "First",
        "Second",
        f"Difference in {METRICS[metric].label}",
        "95 % interval",
        "p (Holm)",
        "Images",
        "Verdict",
    ]
    cut = cut_words(metric, table["low"], table["high"])
    caption = f"Pairs of rows on the test images they share; first minus second. {cut}".rstrip()
    return plain(key, caption, heads, rows)


def hardest(key: str, table: pd.DataFrame, settings: Settings) -> Grid:
    """Return the test images that networks find hardest (`tables/<experiment>.failures.csv`), each once."""
    each = table.drop_duplicates(["dataset", "stratum", "sample"])
    rows = [
        Row(
            [
                *(dataset_name(line["dataset"], settings), words(line["stratum"]), words(title_of(line))),
                *(number(100 * line["share"], 1), number(line["hardest"])),
            ],
            False,
            {"data set": line["dataset"], "stratum": line["stratum"] or DASH},
        )
        for line in each.to_dict("records")
    ]
    heads = ["Data set", "Stratum", "Test image", "Object, % of the region", "Mean Dice of all rows"]
    return plain(key, "The hardest test images.", heads, rows)


def plain(key: str, caption: str, heads: list[str], rows: list[Row]) -> Grid:
    """Return a table with a filter for each key of its rows' filters that has more than one value."""
    filters: dict[str, list[str]] = {}
    for row in rows:
        for name, value in row.filters.items():
            filters.setdefault(name, [])
            filters[name] += [value] * (value not in filters[name])
    numbers = [value.number for value in rows[0].values] if rows else [False] * len(heads)
    return Grid(key, caption, heads, numbers, rows, {k: v for k, v in filters.items() if len(v) > 1}, {})


def named_row(
    line: Mapping[Any, Any], names: Sequence[str], settings: Settings, filters: dict[str, str], values: list[Value]
) -> Row:
    """Return a row of a network or control: data set, the names it needs, then its values."""
    control = line["row"] == "control"
    texts = [words(str(line[name]).replace("_", " ") if control else str(line[name])) for name in names]
    return Row([dataset_name(line["dataset"], settings), *texts, *values], control, filters)


def dataset_name(name: str, settings: Settings) -> Value:
    """Return a data set's name, with a warning where its images are drawn."""
    return words(f"{name} (PHANTOM)" if settings["datasets"][name]["phantom"] else name, name)


def name_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that name a row: recipes only where there are several."""
    several = table.loc[table["row"].eq("cell"), "recipe"].nunique() > 1
    return ["model", "loss", *(["recipe"] if several else [])]
