"""Dice over the threshold of every network, with the thresholds that each policy chose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.evaluation.aggregate import ARGMAX, ORACLE
from segstudy.figures import style
from segstudy.tables.counts import headline, image_scores
from segstudy.tables.failures import ROW, THRESHOLDS, dice_over_thresholds, read_bins
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.policies import HEADS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SUBSETS = {"test": "test images", "val": "validation images"}
DASHES = {"test": "-", "val": (0, (2, 1.5))}
ACROSS, HEIGHT = 2, 2.9  # panels in a row; inches of one


def draw_threshold_curves(inputs: ExperimentInputs, histograms: Sequence[str | Path]) -> None:
    """Draw a panel for each data set and network: a line for each loss and recipe, a mark for each threshold chosen.

    Where there is one loss and recipe, all networks share a panel. A line is the mean over seeds of the mean Dice over
    images, its band reaches from the worst to the best seed; marks are the thresholds of the seeds, at the Dice that
    the tables have. Everything is read from counts and histograms: nothing is predicted again.

    Args:
        inputs: of the experiment's cells of one foreground class; outputs are `svg` and `png`.
        histograms: of each cell the path of its `histograms.npz`; without `scores` among the measures there is no line.

    Raises:
        StudyError: no network has a test image.
    """
    from matplotlib import pyplot

    marks = chosen(inputs)
    lines = _lines(inputs, histograms, marks)
    several = marks[["loss", "recipe"]].drop_duplicates().shape[0] > 1
    line = [name for name in ("loss", "recipe") if marks[name].nunique() > 1] if several else ["model"]
    for table in (marks, lines):
        table["series"] = ["/".join(values) for values in table[line].to_numpy(dtype=str)]
    panels = marks[["dataset", *(["model"] if several else [])]].drop_duplicates().to_dict("records")
    series, policies = list(marks["series"].unique()), list(marks["policy"].unique())

    style.use_style()
    rows = -(-len(panels) // ACROSS)
    size = (style.WIDTH, 1.3 + HEIGHT * rows)
    figure, grid = pyplot.subplots(rows, ACROSS, figsize=size, squeeze=False, sharey=True, layout="constrained")
    for axes, panel in zip(grid.flat, panels, strict=False):
        curves, points = (table[(table[list(panel)] == pd.Series(panel)).all(axis=1)] for table in (lines, marks))
        _draw(axes, curves, points, style.colours(series), style.markers(policies))
        dataset = style.dataset_title(panel["dataset"], inputs.phantoms)
        axes.set_title(f"{dataset}, {panel['model']}" if several else dataset)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    phantom = any(panel["dataset"] in inputs.phantoms for panel in panels)
    title = f"Dice of experiment {inputs.experiment} over the threshold"
    style.finish(figure, title, _keys(series, marks), inputs.outputs, phantom)


def chosen(inputs: ExperimentInputs) -> pd.DataFrame:
    """Return ROW, `seed`, `policy`, `region`, `threshold` and `dice`, the mean over test images, of every cell.

    Raises:
        StudyError: no network has a test image.
    """
    counts = inputs.counts()
    tested = counts[counts["subset"].eq("test") & ~counts["policy"].isin([ARGMAX, ORACLE])]
    if tested.empty:
        raise StudyError(
            f"experiment '{inputs.experiment}' has no test image to show", remedy="give its splits a test set"
        )
    parts = [headline(rows, str(policy), inputs.regions) for policy, rows in tested.groupby("policy", sort=False)]
    images = pd.concat([image_scores(part).assign(threshold=part["threshold"].to_numpy()) for part in parts])
    keys = [*ROW, "seed", "policy", "region"]
    return images.groupby(keys, sort=False)[["threshold", "dice"]].mean().reset_index()


def _lines(inputs: ExperimentInputs, histograms: Sequence[str | Path], marks: pd.DataFrame) -> pd.DataFrame:
    """Return ROW, `seed`, `subset`, `threshold` and `dice` at each of THRESHOLDS."""
    regions = dict(marks[["dataset", "region"]].drop_duplicates().itertuples(index=False, name=None))
    parts = []
    for (cell, _), path in zip(inputs.cells, histograms, strict=True):
        for subset in SUBSETS:
            bins = read_bins(path, subset, regions[cell.dataset])
            curve = {"threshold": THRESHOLDS, "dice": dice_over_thresholds(bins), "subset": subset}
            parts += [pd.DataFrame(curve).assign(**cell._asdict())] if len(bins) else []
    return pd.concat(parts) if parts else pd.DataFrame(columns=[*ROW, "seed", "subset", "threshold", "dice"])


def _draw(
    axes: Axes,
    lines: pd.DataFrame,
    marks: pd.DataFrame,
    colours: Mapping[str, str],
    shapes: Mapping[str, str],
) -> None:
    for (name, subset), curves in _groups(lines, "subset"):
        seeds = curves.groupby("threshold")["dice"]
        mean = seeds.mean()
        axes.plot(mean.index, mean, color=colours[name], ls=DASHES[subset], lw=1.2)
        axes.fill_between(mean.index, seeds.min(), seeds.max(), color=colours[name], alpha=0.2, lw=0)
    for (name, policy), points in _groups(marks, "policy"):
        look: dict[str, Any] = {"s": 34, "edgecolor": "white", "lw": 0.6, "zorder": 4}
        axes.scatter(points["threshold"], points["dice"], marker=shapes[policy], color=colours[name], **look)
    axes.set(xlabel="threshold", ylabel="mean Dice", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    style.bare(axes)


def _groups(table: pd.DataFrame, name: str) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield each series and value of the column `name`, with its rows."""
    for (series, value), rows in table.groupby(["series", name], sort=False):
        yield (str(series), str(value)), rows


def _keys(series: Sequence[str], marks: pd.DataFrame) -> list[Artist]:
    colours = style.colours(series)
    first = marks.drop_duplicates("policy")
    shapes = style.markers(list(first["policy"]))
    words = {
        row["policy"]: HEADS.get(row["policy"], f"{row['threshold']:g}, fixed") for row in first.to_dict("records")
    }
    return [
        *(style.key(name, color=colours[name], lw=1.5) for name in series),
        style.key("test images, worst to best seed", color=style.INK, lw=1.3),
        style.key("validation images", color=style.INK, lw=1.3, ls=DASHES["val"]),
        *(style.key(words[name], marker=shapes[name], ls="", ms=6, mec="white") for name in shapes),
    ]
