"""The comparison of two cells or rows, as text and tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.config.study import Study
from segstudy.evaluation.aggregate import METRICS
from segstudy.evaluation.paired_tests import DIGITS
from segstudy.tables.compare_two import Compared, Side
from segstudy.tables.pairwise_text import cut_words

NOTE = "These p values are not corrected for other comparisons. Corrected for all pairs of an experiment:"


def show(
    study: Study, results: Path, sides: tuple[Side, Side], comparison: Compared, images: int, console: Console
) -> None:
    """Print the difference and its tests, what they support, the images that differ most, and where to see them."""
    pair, metric = comparison.pair, METRICS[comparison.pair["metric"]]
    drawn = "PHANTOM (drawn) data, " if pair["phantom"] else ""
    region = "inside the field of view" if pair["region"] == "roi" else "whole images"
    console.print(
        Text(f"{metric.label} on {pair['dataset']}: {drawn}{pair['images']} test images, {region}", style="bold")
    )
    console.print(_numbers(sides, comparison))
    console.print(Text(comparison.text))
    if cut := cut_words(pair["metric"], pd.Series([pair["low"]]), pd.Series([pair["high"]])):
        console.print(cut)
    if comparison.left_out:
        console.print(f"Seeds that only one side has are left out: {', '.join(map(str, comparison.left_out))}.")
    if images:
        console.print(_images(comparison.images, images, metric.direction))
    experiments = [name for name, own in study.experiments.items() if all(_in(side, own.cells) for side in sides)]
    candidates = [paths.table(results, name, "comparisons.md") for name in experiments]
    tables = [str(path) for path in candidates if path.exists()]
    if tables and not any(side.single_run for side in sides):
        console.print(f"{NOTE} {', '.join(tables)}", soft_wrap=True)
    for side in sides:
        cell = side.cell._replace(recipe=side.cell.recipe.partition(" + ")[0].partition(", ")[0])
        picture = paths.of_cell(results, paths.GALLERY, cell)
        if picture.exists():
            console.print(f"Pictures of {side.name}: {picture}", soft_wrap=True)


def _in(side: Side, cells: Sequence[Cell]) -> bool:
    return side.cell in cells or side.variant


def _numbers(sides: tuple[Side, Side], comparison: Compared) -> Table:
    pair, label = comparison.pair, METRICS[comparison.pair["metric"]].label
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_header=False)
    table.add_column("")
    table.add_column("")
    for side, letter in zip(sides, "ab", strict=True):
        table.add_row(side.name, _figure(pair[f"mean_{letter}"]), end_section=letter == "b")
    table.add_row("difference, first - second", f"{pair['difference']:+.4f}")
    table.add_row("its 95 % interval", f"{_figure(pair['low'], '+')} to {_figure(pair['high'], '+')}")
    table.add_row("p (Wilcoxon, images)", _figure(pair["p"]))
    table.add_row("p (t test, images and seeds)", _figure(pair["p_seeds"]))
    table.add_row("effect size: rank-biserial r, dz", f"{_figure(pair['rank_biserial'])}, {_figure(pair['dz'])}")
    differences = comparison.images["difference"].dropna().round(DIGITS)
    more, less = int((differences > 0).sum()), int((differences < 0).sum())
    words = f"first on {more}, second on {less}, same on {len(differences) - more - less}"
    table.add_row(f"higher {label}, images", words)
    table.add_row("seeds whose difference has this sign", f"{pair['seeds_agree']} of {pair['seeds']}")
    if pair["undefined"]:
        table.add_row("values left out: not defined", str(pair["undefined"]))
    return table


def _images(images: pd.DataFrame, most: int, direction: str) -> Table:
    """Return the images on which either side leads most, those of the first side above."""
    values = images.dropna().sort_values("difference", ascending=direction == "lower", kind="stable")
    better = values["difference"] < 0 if direction == "lower" else values["difference"] > 0
    worse = values["difference"] > 0 if direction == "lower" else values["difference"] < 0
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", no_wrap=True)
    table.add_column("image", overflow="fold")
    for head in ("first", "second", "difference"):
        table.add_column(head, justify="right", no_wrap=True)
    for words, part in (("first better", values[better].head(most)), ("second better", values[worse].tail(most))):
        for row in part.to_dict("records"):
            numbers = (f"{row['first']:.4f}", f"{row['second']:.4f}", f"{row['difference']:+.4f}")
            table.add_row(words, str(row["sample"]), *numbers)
        table.add_section()
    return table


def _figure(value: float, sign: str = "") -> str:
    return "-" if math.isnan(value) else "< 0.0001" if 0 < abs(value) < 0.0001 else f"{value:{sign}.4f}"
