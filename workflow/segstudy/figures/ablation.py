"""The ablation of an experiment: test scores by loss and network, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from segstudy.evaluation.aggregate import MEAN, pooled, with_means
from segstudy.evaluation.metrics import METRICS
from segstudy.figures import style
from segstudy.tables.counts import KEYS, image_scores
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.policies import policy_names
from segstudy.tables.results import intervals, pooled_intervals

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MIRRORED = ("accuracy", "pixel_error")  # their sum is 1: where both are asked for, the first is drawn
# Pooled means over classes, with their titles.
SEVERAL = {"iou": "mean IoU", "dice": "mean Dice", "sensitivity": "mean sensitivity", "accuracy": "pixel accuracy"}
HEIGHT, LABELS = 1.85, 0.5  # inches of a row of panels, and of the names of the losses below the last one
CROWDED = 12  # networks x losses in one panel; with more, every panel takes the whole width
DASHES = ((0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (8, 3)))
# From the end of a control's line to the left edge of its name, half way up.
LEADER = {"arrowstyle": "-", "color": style.MUTED, "lw": 0.6, "shrinkA": 0, "shrinkB": 0, "relpos": (0.0, 0.5)}


class Scores(NamedTuple):
    """Test scores of an experiment, or of one data set of it.

    `seeds` has one row per row of the table and seed, `means` one per row of the table; `intervals` maps
    (KEYS..., class, subset, metric) to a 95 % interval. Of several classes these are the means, of pooled counts.
    """

    seeds: pd.DataFrame
    means: pd.DataFrame
    intervals: Mapping[tuple, tuple[float, float]]


def draw_ablation(inputs: ExperimentInputs, metrics: Sequence[str]) -> None:
    """Draw test scores by loss (across) and network (colour), for each data set: a panel for each of `metrics`.

    The pixel error is left out beside the accuracy, 1 minus which it is. Of several classes, what is drawn are means
    over the classes of what their counts, summed over the images, give, and at last the accuracy of all pixels.

    A large marker is the mean over images and seeds with its 95 % bootstrap interval, a small dot one seed, a dashed
    line a control. The scale follows the networks; controls beyond it are named at the edge with an arrow.

    Args:
        inputs: of the experiment; outputs are `svg` and `png`.
        metrics: those of data sets of one foreground class, columns of the readable table.

    Raises:
        StudyError: as `segstudy.tables.counts.read_counts` and `headline`, and if there is no test image.
    """
    from matplotlib import pyplot

    counts = inputs.test_counts()
    drawn = [name for name in metrics if name != MIRRORED[1] or MIRRORED[0] not in metrics]
    scores = _scores(counts, drawn)
    networks = scores.means[scores.means["row"] == "cell"]
    losses, series = list(networks["loss"].unique()), list(networks["series"].unique())

    style.use_style()
    parts = [name for name in counts["dataset"].unique() if name in set(networks["dataset"])]
    across = 2 if len(losses) * len(series) <= CROWDED else 1
    several = {name: scores.means.loc[scores.means["dataset"] == name, "class"].eq(MEAN).any() for name in parts}
    titles = {name: SEVERAL if several[name] else {m: METRICS[m].label for m in drawn} for name in parts}
    rows = {name: -(-len(titles[name]) // across) for name in parts}
    total = sum(rows.values())
    figure, grid = pyplot.subplots(
        total,
        across,
        figsize=(style.WIDTH, 1.1 + LABELS * len(parts) + HEIGHT * total),
        squeeze=False,
        layout="constrained",
    )
    free = list(grid.flat)
    for dataset in parts:
        seeds, means = (table[table["dataset"] == dataset] for table in (scores.seeds, scores.means))
        name = style.dataset_title(dataset, inputs.phantoms)
        panels, free = free[: rows[dataset] * across], free[rows[dataset] * across :]
        for j, (metric, title) in enumerate(titles[dataset].items()):
            _draw(panels[j], Scores(seeds, means, scores.intervals), metric, losses, series)
            panels[j].set_title(f"{name}: {title}")
            _label_losses(panels[j], losses, 5.8 / across)
            panels[j].tick_params(labelbottom=j + across >= len(titles[dataset]))
        for axes in panels[len(titles[dataset]) :]:
            axes.set_axis_off()
    phantom = bool(set(inputs.phantoms) & set(counts["dataset"]))
    at = policy_names(counts).get(inputs.policy)
    title = f"Test images of experiment {inputs.experiment}, by loss{f', at {at}' if at else ''}"
    style.finish(figure, title, _keys(series), inputs.outputs, phantom)


def _scores(counts: pd.DataFrame, drawn: Sequence[str]) -> Scores:
    images = image_scores(counts)
    keys, metrics = [*KEYS, "class"], [name for name in images if name in {*drawn, *SEVERAL}]
    one = images[images["class"] != MEAN].groupby([*keys, "seed"], sort=False)[metrics].mean().reset_index()
    sums = with_means(pooled(counts, [*keys, "seed"]), [*KEYS, "seed"])
    seeds = pd.concat([one, sums.loc[sums["class"] == MEAN, [*keys, "seed", *metrics]]], ignore_index=True)
    means = seeds.groupby(keys, sort=False)[metrics].mean().reset_index()
    several = means.loc[means["row"] == "cell", "recipe"].nunique() > 1
    for table in (seeds, means):
        table["series"] = table["model"] + (", " + table["recipe"] if several else "")
    of_images = intervals(counts, ["test"], [name for name in drawn if name in images])
    of_sums = {(*key, metric): values[metric] for key, values in pooled_intervals(counts).items() for metric in SEVERAL}
    return Scores(seeds, means, {**of_images, **{key: ends for key, ends in of_sums.items() if key[-3] == MEAN}})


def _draw(axes: Axes, scores: Scores, metric: str, losses: Sequence[str], series: Sequence[str]) -> None:
    """Draw one metric of one data set: a group of markers for each loss, a marker for each network."""
    colour, marker = style.colours(series), style.markers(series)
    step = min(0.8 / len(series), 0.3)
    seen: list[float] = []
    for row in scores.means[scores.means["row"] == "cell"].to_dict("records"):
        x = losses.index(row["loss"]) + (series.index(row["series"]) - (len(series) - 1) / 2) * step
        same = (scores.seeds["series"] == row["series"]) & (scores.seeds["loss"] == row["loss"])
        dots = scores.seeds.loc[same & (scores.seeds["row"] == "cell"), metric]
        low, high = scores.intervals[(*(row[key] for key in KEYS), row["class"], "test", metric)]
        shade = colour[row["series"]]
        axes.plot([x, x], [low, high], color=shade, lw=2, alpha=0.45, solid_capstyle="butt", zorder=2)
        axes.plot([x], [row[metric]], marker[row["series"]], ms=6, mfc=shade, mec="white", mew=0.6, zorder=4)
        if len(dots) > 1:
            offset = np.full(len(dots), x + 0.45 * step)
            axes.plot(offset, dots, ".", ms=4, color=shade, mew=0, zorder=3)
        seen += [low, high, row[metric], *dots]
    axes.set_xlim(-0.6, len(losses) - 0.4)
    axes.grid(False, axis="x")
    style.bare(axes)
    controls = scores.means.loc[scores.means["row"] == "control", ["model", metric]].dropna()
    values = {name.replace("_", " "): value for name, value in controls.itertuples(index=False, name=None)}
    axes.set_ylim(*limits([value for value in seen if np.isfinite(value)], list(values.values())))
    draw_controls(axes, values)


def limits(networks: Sequence[float], controls: Sequence[float]) -> tuple[float, float]:
    """Return limits that show the networks large, and those controls that lie near them."""
    if not networks:
        return 0.0, 1.0
    low, high = min(networks), max(networks)
    reach = max(high - low, 0.05)
    near = [value for value in controls if low - reach <= value <= high + reach]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.08 * max(high - low, 0.05)
    # Shares end at 1, distances and numbers of things do not; a correlation may be negative.
    floor, ceiling = (-0.02 if low >= 0 else -1.02), (1.02 if high <= 1.02 else np.inf)
    return max(low - margin, floor), min(high + margin, ceiling)


def draw_controls(axes: Axes, values: Mapping[str, float]) -> None:
    """Draw a dashed line for each control within the limits; name all of them, with their value, on the right."""
    low, high = axes.get_ylim()
    labels = []
    for i, (name, value) in enumerate(values.items()):
        inside = low <= value <= high
        if inside:
            axes.axhline(value, color=style.MUTED, lw=1, ls=DASHES[i % len(DASHES)], zorder=1)
        arrow = "" if inside else ("↓ " if value < low else "↑ ")
        height = float(np.clip((value - low) / (high - low), 0, 1))
        labels.append((height, value, f"{arrow}{name} {value:.3f}", inside))
    labels.sort()
    for place, (height, _, text, inside) in zip(_spread([label[0] for label in labels], 0.09), labels, strict=True):
        axes.annotate(
            text,
            xy=(1.0, height),
            xytext=(1.03, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            fontsize=7.5,
            color=style.MUTED,
            va="center",
            arrowprops=LEADER if inside else None,
        )


def _spread(places: Sequence[float], gap: float) -> list[float]:
    """Move sorted places up, then down from the top, as little as needed to lie `gap` apart and below 1."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    ceiling = max(1.0, gap * (len(moved) - 1))
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], ceiling)
        ceiling = moved[i] - gap
    return moved


def _label_losses(axes: Axes, losses: Sequence[str], inches: float) -> None:
    axes.set_xticks(range(len(losses)), losses)
    if max(map(len, losses)) * 0.085 > inches / len(losses) * 0.95:
        axes.tick_params(axis="x", rotation=25)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")


def _keys(series: Sequence[str]) -> list[Artist]:
    colour, marker = style.colours(series), style.markers(series)
    keys = [style.key(name, ls="", marker=marker[name], color=colour[name], mec="white", ms=7.5) for name in series]
    return keys + score_keys("control")


def score_keys(control: str) -> list[Artist]:
    """Return the entries of the legend for means, seeds and controls."""
    return [
        style.key("mean, 95 % interval", marker="o", lw=2, ms=6, mec="white"),
        style.key("one seed", marker=".", ls="", ms=6),
        style.key(control, ls=DASHES[0], lw=1),
    ]
