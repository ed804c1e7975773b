"""Heat map of networks on every test set: trained on in rows, tested on in columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segstudy.evaluation.metrics import METRICS
from segstudy.figures import style
from segstudy.tables.external_text import networks

CELL = 0.42  # inches of the height of a row


def draw_matrix(rows: pd.DataFrame, experiment: str, outputs: Mapping[str, str | Path]) -> None:
    """Draw `tables/<experiment>.external.csv`: the value of every network on every test set, with its interval.

    The own test images of a network have a frame; what was not measured is white.

    Args:
        rows: see `segstudy.tables.external.external_rows`.
        outputs: `svg` and `png`.
    """
    import seaborn
    from matplotlib import pyplot
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    style.use_style()
    rows = networks(rows)
    metric = METRICS[rows["metric"].iloc[0]]
    names = [name for name in ("model", "loss", "recipe") if rows[name].nunique() > 1]
    label = rows["trained_on"].str.cat([rows[name] for name in names], sep=", ")  # type: ignore[misc]
    rows = rows.assign(network=label)
    order, tested = list(label.unique()), list(rows["tested_on"].unique())
    values = rows.pivot(index="network", columns="tested_on", values="mean").loc[order, tested]
    texts = rows.assign(text=[_text(row) for row in rows.to_dict("records")])
    texts = texts.pivot(index="network", columns="tested_on", values="text").loc[order, tested].fillna("")
    width = min(style.WIDTH, max(5.6, 2.6 + 1.5 * len(tested)))
    figure, axes = pyplot.subplots(figsize=(width, 1.5 + CELL * len(order)), layout="constrained")
    colours = "viridis" if metric.direction == "higher" else "viridis_r"
    seaborn.heatmap(
        values,
        annot=texts,
        fmt="",
        cmap=colours,
        linewidths=1,
        ax=axes,
        cbar_kws={"label": metric.label},
        annot_kws={"fontsize": 8},
    )
    for place, network in enumerate(order):
        own = rows.loc[(rows["network"] == network) & (rows["own"] == 1), "tested_on"]
        column = tested.index(own.iloc[0])
        frame = Rectangle((column, place), 1, 1, fill=False, ec=style.INK, lw=1.8, clip_on=False)
        frame.set_path_effects([withStroke(linewidth=4, foreground="white")])  # seen on dark colours too
        axes.add_patch(frame)
    axes.set(xlabel="tested on", ylabel="trained on")
    axes.grid(False)
    axes.tick_params(axis="x", rotation=0)
    axes.tick_params(axis="y", rotation=0)
    keys = [style.key("own test images", marker="s", lw=0, ms=8, mfc="none", mec=style.INK)]
    title = f"{metric.label} on every test set,\nexperiment {experiment}, with 95 % intervals"
    style.finish(figure, title, keys, outputs, bool(rows["phantom"].any()))


def _text(row: Mapping[Any, Any]) -> str:
    if np.isnan(row["mean"]):
        return ""
    interval = "" if np.isnan(row["low"]) else f"\n{row['low']:.3f} to {row['high']:.3f}"
    return f"{row['mean']:.3f}{interval}"
