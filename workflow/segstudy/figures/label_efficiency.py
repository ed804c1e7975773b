"""Label efficiency: the score of each approach against the share of the labels that it learned from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from segstudy.config.cell import Cell
from segstudy.core.files import write_csv
from segstudy.core.provenance import read_run
from segstudy.evaluation.metrics import METRICS
from segstudy.figures import style
from segstudy.figures.ablation import draw_controls, limits, score_keys
from segstudy.tables.counts import KEYS, image_scores
from segstudy.tables.inputs import ExperimentInputs
from segstudy.tables.results import intervals

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

HEIGHT, STEP = 3.6, 0.035  # inches of a panel; of the scale of the shares, between two approaches at one share
COLUMNS = ["dataset", "phantom", "row", "model", "loss", "recipe", "share", "labelled_images", "class", "region"]
COLUMNS += ["policy", "metric", "mean", "sd", "low", "high", "test_images", "seeds"]


class Share(NamedTuple):
    """A cell's recipe without its share of the labels, and that share."""

    recipe: str
    share: float


def draw_label_efficiency(
    inputs: ExperimentInputs, runs: Sequence[str | Path], shares: Sequence[Share], metric: str
) -> None:
    """Draw, for each data set, a line for each approach over the share of the labels, on a logarithmic scale.

    A marker is the mean over images and seeds with its 95 % interval, a small dot one seed, a dashed line a control,
    which learned from no label. Below each share stands the number of labelled training images.

    Args:
        inputs: of the experiment; outputs are `svg`, `png` and `csv` (COLUMNS, unrounded, one row per approach and
            share, and per control).
        runs: `run.json` of each cell, in their order: how many labelled images it learned from.
        shares: of each cell.
        metric: a name of METRICS.

    Raises:
        StudyError: as `segstudy.tables.counts.read_counts` and `headline`, and if there is no test image.
    """
    from matplotlib import pyplot

    rows, seeds = _rows(inputs, runs, shares, metric)
    write_csv(inputs.outputs["csv"], rows[COLUMNS])
    networks = rows[rows["row"] == "cell"]
    series = list(networks["series"].unique())
    parts = list(networks["dataset"].unique())
    style.use_style()
    figure, grid = pyplot.subplots(
        len(parts), 1, figsize=(style.WIDTH, 1.2 + HEIGHT * len(parts)), squeeze=False, layout="constrained"
    )
    for axes, dataset in zip(grid[:, 0], parts, strict=True):
        dots = seeds[seeds["dataset"] == dataset]
        _draw(axes, rows[rows["dataset"] == dataset], dots, series, metric)
        name = style.dataset_title(dataset, inputs.phantoms)
        axes.set_title(f"{name}: {METRICS[metric].label} on test images")
    title = f"Experiment {inputs.experiment}: what each approach makes of few labels"
    style.finish(figure, title, _keys(series), inputs.outputs, bool(networks["phantom"].any()), most=3)


def _rows(
    inputs: ExperimentInputs, runs: Sequence[str | Path], shares: Sequence[Share], metric: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row per approach and share, and per control; and the same for each seed of the approaches."""
    counts = inputs.test_counts()
    names = pd.DataFrame([cell for cell, _ in inputs.cells], columns=Cell._fields)
    names = names.assign(
        base=[share.recipe for share in shares],
        share=[share.share for share in shares],
        labelled=[read_run(path, ("labels",))["labels"]["images"] for path in runs],
    )
    names["series"] = _series(names)
    row = [*KEYS[:1], *KEYS[2:]]
    approaches = names.drop(columns=["seed", "labelled"]).drop_duplicates()
    approaches = approaches.merge(names.groupby(row)["labelled"].mean().reset_index(), on=row)
    keys = [*KEYS, "class", "region"]
    images = image_scores(counts)
    seeds = images.groupby([*keys, "seed"], sort=False)[metric].mean().reset_index()
    rows = seeds.groupby(keys, sort=False)[metric].agg(["mean", "std", "size"]).reset_index()
    rows = rows.rename(columns={"std": "sd", "size": "seeds"})
    number = images.groupby([*keys, "seed"])["sample"].nunique().groupby(keys).mean().rename("test_images")
    rows = rows.merge(number.reset_index(), on=keys)
    by_row = intervals(counts, ["test"], [metric])
    ends = [by_row[(*key, "test", metric)] for key in rows[[*KEYS, "class"]].itertuples(index=False, name=None)]
    rows["low"], rows["high"] = zip(*ends, strict=True)
    rows = rows.merge(approaches, on=row, how="left")
    seeds = seeds.merge(approaches, on=row).rename(columns={metric: "value"})
    rows["recipe"] = rows["base"].where(rows["row"] == "cell", "")
    rows = rows.rename(columns={"labelled": "labelled_images"}).assign(metric=metric)
    rows["policy"] = np.where(rows["row"] == "cell", inputs.policy, "none")
    return rows.assign(phantom=rows["dataset"].isin(list(inputs.phantoms)).astype(int)), seeds


def _series(names: pd.DataFrame) -> list[str]:
    """Return the names of the approaches: the recipe, and network and loss where there are several."""
    kept = [name for name in ("model", "loss") if names[name].nunique() > 1]
    return [", ".join([row["base"], *(row[name] for name in kept)]) for row in names.to_dict("records")]


def _draw(axes: Axes, rows: pd.DataFrame, seeds: pd.DataFrame, series: Sequence[str], metric: str) -> None:
    colour, marker = style.colours(series), style.markers(series)
    networks = rows[rows["row"] == "cell"]
    ticks = networks.groupby("share")["labelled_images"].mean()
    span = float(np.log10(ticks.index.max() / ticks.index.min())) or 1.0
    seen: list[float] = []
    for i, name in enumerate(series):
        line = networks[networks["series"] == name].sort_values("share")
        # Side by side, so that intervals can be told apart; at one share alone there is no line to bend.
        aside = 10 ** (STEP * span * (i - (len(series) - 1) / 2))
        x, shade = line["share"] * aside, colour[name]
        axes.vlines(x, line["low"], line["high"], color=shade, lw=2, alpha=0.4, zorder=2)
        axes.plot(x, line["mean"], color=shade, lw=1.2, marker=marker[name], ms=6, mec="white", mew=0.6, zorder=4)
        dots = seeds[seeds["series"] == name]
        if dots["seed"].nunique() > 1:
            axes.plot(dots["share"] * aside, dots["value"], ".", ms=4, color=shade, mew=0, alpha=0.8, zorder=3)
        seen += [*line["low"], *line["high"], *line["mean"], *dots["value"]]
    axes.set_xscale("log")
    axes.set_xlim(ticks.index.min() / 10 ** (0.12 * span), ticks.index.max() * 10 ** (0.12 * span))
    labels = [f"{100 * float(str(share)):g} %\n{images:g}" for share, images in ticks.items()]
    axes.set_xticks(ticks.index, labels)
    axes.minorticks_off()
    axes.set_xlabel("share of the labels, and training images that have one")
    axes.set_ylabel(METRICS[metric].label)
    style.bare(axes)
    floor = rows.loc[rows["row"] == "control", ["model", "mean"]].dropna()
    values = {name.replace("_", " "): value for name, value in floor.itertuples(index=False, name=None)}
    axes.set_ylim(*limits([value for value in seen if np.isfinite(value)], list(values.values())))
    draw_controls(axes, values)


def _keys(series: Sequence[str]) -> list[Artist]:
    colour, marker = style.colours(series), style.markers(series)
    keys = [style.key(name, lw=1.2, marker=marker[name], color=colour[name], mec="white", ms=7) for name in series]
    return keys + score_keys("control: no labels")
