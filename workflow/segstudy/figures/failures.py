"""Failures of networks: small objects, badly chosen thresholds, miscalibrated probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from segstudy.core.files import read_csv, write_csv
from segstudy.core.names import drawn_title
from segstudy.core.terminal_text import on_one_line
from segstudy.evaluation.aggregate import ARGMAX
from segstudy.figures import style
from segstudy.tables.failures import (
    ROW,
    THRESHOLDS,
    calibration,
    dice_over_thresholds,
    operating_points,
    read_bins,
    worst_first,
)
from segstudy.tables.inputs import ExperimentInputs

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

HARDEST = 9  # images that the figure names; the csv has all
FITS = 42  # letters of a line beside them


def draw_failures(
    inputs: ExperimentInputs, histograms: Sequence[str | Path], indexes: Mapping[str, str | Path]
) -> None:
    """Draw five panels for each data set of one foreground class, and list its test images, the worst first.

    Size of the object against Dice, an image a point (mean over seeds); Dice over the threshold, of test and validation
    images, with the thresholds that were used; calibration, ROC and precision-recall of the pixels of all test images
    and seeds together. Beside them stand the names of the hardest images.

    Args:
        inputs: of the experiment; outputs are `svg`, `png` and `csv` (see `segstudy.tables.failures.worst_first`).
        histograms: of each cell the path of its `histograms.npz`; without `scores` among the measures they are empty.
        indexes: data set -> path of its `index.csv`.
    """
    from matplotlib import pyplot

    counts = inputs.headline()
    counts = counts[counts["policy"] != ARGMAX]
    tables = {name: read_csv(path) for name, path in indexes.items()}
    strata = [table.filter(["sample", "stratum", "title"]).assign(dataset=name) for name, table in tables.items()]
    images = worst_first(counts, pd.concat(strata))
    images = images.fillna({"title": ""}) if "title" in images else images
    write_csv(inputs.outputs["csv"], images)
    style.use_style()
    datasets = list(counts["dataset"].unique())
    figure = pyplot.figure(figsize=(style.WIDTH, 0.9 + 5.2 * len(datasets)), layout="constrained")
    grid = figure.add_gridspec(2 * len(datasets), 3)
    names = list(dict.fromkeys(_name(row) for row in counts[ROW].drop_duplicates().to_dict("records")))
    colours, shapes = style.colours(names), style.markers(names)
    for i, dataset in enumerate(datasets):
        panels = [figure.add_subplot(grid[2 * i + j // 3, j % 3]) for j in range(5)]
        of_dataset = counts[counts["dataset"] == dataset]
        _sizes(panels[0], images[images["dataset"] == dataset], colours, shapes)
        for key, rows in of_dataset.groupby(ROW, sort=False):
            paths = [path for (cell, _), path in zip(inputs.cells, histograms, strict=True) if cell[:4] == key]
            region = of_dataset["region"].iloc[0]
            bins = {name: [read_bins(path, name, region) for path in paths] for name in ("test", "val")}
            colour = colours[_name(dict(zip(ROW, key, strict=True)))]
            if sum(len(seed) for seed in bins["test"]):
                _thresholds(panels[1], bins, rows.groupby("seed")["threshold"].first().tolist(), colour)
                _pooled(panels[2:], np.concatenate(bins["test"]), colour)
        _hardest(figure.add_subplot(grid[2 * i + 1, 2]), images[images["dataset"] == dataset])
        _finish(panels, style.dataset_title(dataset, inputs.phantoms))
    title = f"Where the networks of experiment {inputs.experiment} fail, test images"
    phantom = any(dataset in inputs.phantoms for dataset in datasets)
    # Names of rows are long: four columns of them would not fit the width.
    style.finish(figure, title, _keys(names, colours, shapes), inputs.outputs, phantom, most=3)


def _name(row: Mapping[Any, Any]) -> str:
    return ", ".join(row[key] for key in ROW[1:])


def _sizes(axes: Axes, images: pd.DataFrame, colours: Mapping[str, str], shapes: Mapping[str, str]) -> None:
    for key, rows in images.groupby(ROW[1:], sort=False):
        name = _name(dict(zip(ROW[1:], key, strict=True)))
        axes.plot(100 * rows["share"], rows["dice"], shapes[name], ms=4, color=colours[name], alpha=0.7, mew=0)


def _thresholds(axes: Axes, bins: Mapping[str, list[np.ndarray]], chosen: Sequence[float], colour: str) -> None:
    """Draw the mean over seeds of test (full) and validation images (dashed); a mark for each seed's threshold."""
    for subset, dashes in (("val", (0, (2, 1.5))), ("test", "-")):
        curves = np.array([dice_over_thresholds(seed) for seed in bins[subset] if len(seed)])
        if len(curves):
            axes.plot(THRESHOLDS, curves.mean(axis=0), ls=dashes, color=colour, lw=1.3)
    marks = [np.interp(t, THRESHOLDS, dice_over_thresholds(seed)) for t, seed in zip(chosen, bins["test"], strict=True)]
    axes.plot(chosen, marks, "o", ms=5, mfc="white", mec=colour, mew=1.4, zorder=4)


def _pooled(panels: Sequence[Axes], bins: np.ndarray, colour: str) -> None:
    bent, points = calibration(bins), operating_points(bins)
    panels[0].plot(bent["probability"], bent["foreground"], "o-", ms=3, lw=1.3, color=colour)
    panels[1].plot([*points["fall_out"], 0], [*points["sensitivity"], 0], lw=1.3, color=colour)
    panels[2].plot(points["sensitivity"], points["precision"], lw=1.3, color=colour)


def _finish(panels: Sequence[Axes], dataset: str) -> None:
    words = [
        (f"{dataset}: size", "object, % of the region", "Dice of an image"),
        ("threshold", "threshold", "mean Dice"),
        ("calibration", "predicted probability", "share that is foreground"),
        ("ROC", "false foreground (1 - specificity)", "sensitivity"),
        ("precision and recall", "recall (sensitivity)", "precision"),
    ]
    for axes, (title, x, y) in zip(panels, words, strict=True):
        axes.set(title=title, xlabel=x, ylabel=y, ylim=(-0.03, 1.03))
        style.bare(axes)
    _size_scale(panels[0])
    for axes in panels[1:]:
        axes.set_xlim(-0.03, 1.03)
        if not axes.lines:
            axes.text(0.5, 0.5, "not measured: 'scores'", ha="center", color=style.MUTED)
    for axes in panels[2:4]:
        axes.plot([0, 1], [0, 1], color=style.MUTED, lw=0.9, ls=(0, (1, 1.5)), zorder=1)


def _size_scale(axes: Axes) -> None:
    """Take a logarithmic scale where sizes differ by more than a factor of 4."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    sizes = np.concatenate([np.zeros(0), *(np.asarray(line.get_xdata(), float) for line in axes.lines)])
    sizes = sizes[sizes > 0]
    if len(sizes) and sizes.max() > 4 * sizes.min():
        axes.set_xscale("log")
        wide = sizes.max() > 100 * sizes.min()
        axes.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())


def _hardest(axes: Axes, images: pd.DataFrame) -> None:
    """Name the images with the lowest Dice over all rows, as many as fit."""
    axes.axis("off")
    axes.set_title("hardest images, mean Dice")
    hard = images.drop_duplicates("sample").dropna(subset="hardest").nsmallest(HARDEST, "hardest", keep="first")
    for place, row in enumerate(hard.to_dict("records")):
        stratum = f" ({row['stratum']})" if row["stratum"] else ""
        words = on_one_line(f"{row['hardest']:.3f}  {drawn_title(row)}{stratum}")
        words = words if len(words) <= FITS else f"{words[: FITS - 3]}..."
        axes.text(0, 0.93 - 0.11 * place, words, fontsize=8.5, parse_math=False)


def _keys(names: Sequence[str], colours: Mapping[str, str], shapes: Mapping[str, str]) -> list[Artist]:
    return [
        *(style.key(name, color=colours[name], marker=shapes[name], ms=5, lw=1.5) for name in names),
        style.key("test images", color=style.INK, lw=1.3),
        style.key("validation images", color=style.INK, lw=1.3, ls=(0, (2, 1.5))),
        style.key("threshold used, each seed", color=style.INK, marker="o", mfc="white", ls="", ms=5),
        style.key("perfect calibration; chance", lw=0.9, ls=(0, (1, 1.5))),
    ]
