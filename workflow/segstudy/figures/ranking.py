"""Forest plot of networks and controls: mean with interval, and how often each network ranks first."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from segstudy.core.files import write_csv
from segstudy.evaluation.aggregate import MEAN, METRICS
from segstudy.figures import style
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.ranking import NAMES, rank_rows

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

ROW, AROUND = 0.235, 1.0  # inches of a row, and of title and scale of a panel
FLOOR_DASHES = (0, (1, 1.5))
HUMAN, HUMAN_DASHES = "second_human", (0, (5, 2))


def draw_ranking(inputs: ExperimentInputs, metric: str) -> None:
    """Draw the rows of each data set from best to worst: networks and variants in two colours, controls grey.

    On the left the whole scale, with a line for each control; in the middle the networks alone, large; on the right the
    share of bootstrap resamples in which a network is first.

    Args:
        inputs: of the experiment; outputs are `svg`, `png` and `csv` (see `segstudy.tables.ranking.rank_rows`).
        metric: a name of METRICS.

    Raises:
        StudyError: as `segstudy.tables.ranking.rank_rows`.
    """
    from matplotlib import pyplot

    rows = rank_rows(inputs, metric)
    write_csv(inputs.outputs["csv"], rows)
    style.use_style()
    rows = rows[rows["mean"].notna()]  # a row without any value has no place; the csv has it
    parts = [part for _, part in rows.groupby("dataset", sort=False)]
    heights = [AROUND + ROW * len(part) for part in parts]
    figure = pyplot.figure(figsize=(style.WIDTH, 0.75 + sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(parts), 3, height_ratios=heights, width_ratios=[1.2, 1.2, 0.8])
    for i, part in enumerate(parts):
        whole = figure.add_subplot(grid[i, 0])
        near, share = (figure.add_subplot(grid[i, j], sharey=whole) for j in (1, 2))
        _draw(whole, near, share, part)
    title = f"{METRICS[metric].label} of experiment {inputs.experiment}, test images:\nwho is first, and how surely"
    style.finish(figure, title, _keys(rows), inputs.outputs, bool(rows["phantom"].any()))


def _draw(whole: Axes, near: Axes, share: Axes, part: pd.DataFrame) -> None:
    """Draw one data set, the best row at the top; `share` is that of the bootstrap resamples."""
    networks = part[part["row"] == "cell"]
    for place, row in enumerate(part.to_dict("records")):
        control = row["row"] == "control"
        colour = style.MUTED if control else style.PALETTE[0 if row["row"] == "cell" else 1]
        for axes in (whole, near):
            axes.plot([row["low"], row["high"]], [place, place], color=colour, lw=2, alpha=0.45, zorder=3)
            axes.plot([row["mean"]], [place], "o", ms=5, mfc="white" if control else colour, mec=colour, zorder=4)
            if control:
                dashes = HUMAN_DASHES if row["model"] == HUMAN else FLOOR_DASHES
                axes.axvline(row["mean"], color=style.MUTED, lw=0.9, ls=dashes, zorder=1)
        if row["row"] == "cell":
            share.barh(place, row["first"], height=0.62, color=colour, alpha=0.85)
            share.text(row["first"] + 0.03, place, _percent(row["first"]), va="center", fontsize=8)
    recipes = set(networks["recipe"])
    whole.set_yticks(range(len(part)), [_name(row, recipes) for row in part.to_dict("records")])
    for label, row_type in zip(whole.get_yticklabels(), part["row"], strict=True):
        if row_type == "control":
            label.set(color=style.MUTED, style="italic")
    whole.set_ylim(len(part) - 0.4, -0.6)
    enlarged = part[part["row"] != "control"]
    seen = [value for name in ("mean", "low", "high") for value in enlarged[name] if np.isfinite(value)]
    margin = max(0.08 * (max(seen) - min(seen)), 0.004)
    near.set_xlim(min(seen) - margin, max(seen) + margin)
    whole.set_xlim(-0.03, 1.03)
    share.set_xlim(0, 1.3)
    share.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    dataset, class_name = part["dataset"].iloc[0], part["class"].iloc[0]
    phantom = " (PHANTOM)" if part["phantom"].iloc[0] else ""
    whole.set_title(f"{dataset}{phantom}{': mean over classes' if class_name == MEAN else ''}")
    near.set_title("the networks, enlarged")
    share.set_title("how often first")
    for axes in (near, share):
        axes.tick_params(axis="y", labelleft=False)
    for axes in (whole, near, share):
        axes.grid(False, axis="y")
        style.bare(axes)


def _name(row: dict, recipes: Collection[str]) -> str:
    """Return a row's name and value; a recipe that all rows share is left out, a variant's suffix stays."""
    if row["row"] == "control":
        return f"{row['model'].replace('_', ' ')} {row['mean']:.3f}"
    name = ", ".join(row[name] for name in NAMES)
    if len(recipes) == 1:
        only = next(iter(recipes))
        name = f"{row['model']}, {row['loss']}{row['recipe'].removeprefix(only)}"
    return f"{name} {row['mean']:.3f}"


def _percent(share: float) -> str:
    if 0 < share < 0.01 or 0.99 < share < 1:
        return "< 1 %" if share < 0.5 else "> 99 %"
    return f"{100 * share:.0f} %"


def _keys(rows: pd.DataFrame) -> list[Artist]:
    dot: dict[str, Any] = {"marker": "o", "lw": 2, "ms": 5}
    keys = [style.key("network, 95 % interval", color=style.PALETTE[0], **dot)]
    if rows["row"].eq("gain").any():
        keys.append(style.key("without training", color=style.PALETTE[1], **dot))
    controls = rows.loc[rows["row"] == "control", "model"]
    human = controls.eq(HUMAN)
    if len(controls):
        keys.append(style.key("control", mfc="white", **dot))
    if human.any():
        keys.append(style.key("value of the second human", lw=0.9, ls=HUMAN_DASHES))
    if not human.all():
        label = "value of another control" if human.any() else "value of a control"
        keys.append(style.key(label, lw=0.9, ls=FLOOR_DASHES))
    return keys
