"""Scores over the strength of each corruption: one curve for each network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from segstudy.config.corruptions import CLEAN
from segstudy.evaluation.metrics import METRICS
from segstudy.figures import style
from segstudy.tables.robustness_text import UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS, HEIGHT = 3, 2.3  # panels side by side; inches of one


def draw_robustness(rows: pd.DataFrame, experiment: str, outputs: Mapping[str, str | Path]) -> None:
    """Draw `tables/<experiment>.robustness.csv`: for each data set and corruption a panel, for each network a curve.

    A curve holds the clean images, at its left end where strengths go one way; a bar is the 95 % interval of a point.

    Args:
        rows: see `segstudy.tables.robustness.robustness_rows`.
        outputs: `svg` and `png`.
    """
    from matplotlib import pyplot

    style.use_style()
    metric = METRICS[rows["metric"].iloc[0]]
    names = [name for name in ("model", "loss", "recipe") if rows[name].nunique() > 1] or ["model"]
    rows = rows.assign(network=rows[names].astype(str).agg(", ".join, axis=1))
    networks = list(rows["network"].unique())
    datasets = [list(part.groupby("corruption", sort=False)) for _, part in rows.groupby("dataset", sort=False)]
    across = min(ACROSS, max(map(len, datasets)))
    below = -(-max(map(len, datasets)) // across)  # lines of a data set, which begins on a new one
    lines = below * len(datasets)
    size = (style.WIDTH, 1.0 + HEIGHT * lines)
    figure, grid = pyplot.subplots(lines, across, figsize=size, sharey=True, squeeze=False, layout="constrained")
    places = grid.reshape(len(datasets), below * across)
    for axes in (axes for place, panels in zip(places, datasets, strict=True) for axes in place[len(panels) :]):
        axes.set_visible(False)
    for place, panels in zip(places, datasets, strict=True):
        for axes, (kind, part) in zip(place, panels, strict=False):
            _draw(axes, part, networks, str(kind))
            what, _, unit = UNITS[str(kind)].partition(" (")
            axes.set_title(f"{part['dataset'].iloc[0]}: {what}" if len(datasets) > 1 else what)
            axes.set_xlabel(unit.removesuffix(")").replace("standard deviation", "sd").replace(" of the raw image", ""))
    for axes in grid[:, 0]:
        axes.set_ylabel(metric.label)
    colour, marker = style.colours(networks), style.markers(networks)
    keys = [style.key(n, lw=1.2, marker=marker[n], color=colour[n], mec="white", ms=6) for n in networks]
    title = f"{metric.label} of experiment {experiment} on corrupted test images"
    style.finish(figure, title, keys, outputs, bool(rows["phantom"].any()))


def _draw(axes: Axes, part: pd.DataFrame, networks: list[str], kind: str) -> None:
    """Draw the curves of one panel; strengths that fall, such as the quality of JPEG, run from right to left."""
    colour, marker = style.colours(networks), style.markers(networks)
    for name in networks:
        line = part[part["network"] == name].sort_values("strength")
        axes.vlines(line["strength"], line["low"], line["high"], lw=1.6, alpha=0.35, color=colour[name])
        axes.plot(line["strength"], line["mean"], lw=1.2, color=colour[name], marker=marker[name], ms=5, mec="white")
    strengths = sorted(part["strength"].unique())
    clean = CLEAN[kind]
    if clean == max(strengths):
        axes.invert_xaxis()
    axes.set_xticks(strengths, ["clean" if value == clean else f"{value:g}" for value in strengths])
    axes.tick_params(axis="x", labelsize=7.5)
    style.bare(axes)
