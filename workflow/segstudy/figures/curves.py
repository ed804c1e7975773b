"""Learning curves of an experiment: losses and validation Dice against the epoch, and the slope that stops early."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.recipes import CurveStopping
from segstudy.core.errors import StudyError
from segstudy.figures import style
from segstudy.figures.early_stopping import draw_rule, rule_keys
from segstudy.tables.histories import read_history

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("epoch", "train_loss", "val_loss", "val_dice", "slope", "best")
ACROSS = 3  # panels side by side: more are too narrow to read at 800 pixels
MOST = 36  # panels in one figure: more make a page nobody scrolls through
logger = logging.getLogger("segstudy")

# The rule of early stopping of each (data set, recipe) that stops by the fitted curve.
Rules = Mapping[tuple[str, str], CurveStopping]


class Panel(NamedTuple):
    """What the curves of one panel have in common; they differ in loss and seed."""

    dataset: str
    model: str
    recipe: str

    def rule(self, rules: Rules) -> CurveStopping | None:
        """Return the rule that its cells stop by, if they stop by the fitted curve."""
        return rules.get((self.dataset, self.recipe))


def draw_curves(
    histories: Sequence[tuple[Cell, str | Path]],
    experiment: str,
    outputs: Mapping[str, str | Path],
    phantoms: Collection[str] = (),
    rules: Rules | None = None,
) -> None:
    """Draw training and validation loss, and validation Dice, against the epoch.

    A pair of panels (losses above, Dice below) for each data set, network and recipe; colours are losses, every
    seed is a thin line of its own, a dot marks the epoch whose weights were kept.

    Where a recipe stops early by the fitted curve (`segstudy.training.early_stopping`), the last fitted quadratic lies
    over the training losses it was fitted to, and a panel between the two shows its slope in every epoch, the band of
    slopes that count as flat, and a cross where that ended the training: figures 2, 4 and 5 of the EBHI-SEG report.

    Args:
        histories: each cell with the path of its `history.csv`.
        outputs: paths of `svg` and `png`.
        phantoms: the data sets whose images are drawn stand-ins: the figure says PHANTOM.
        rules: (data set, recipe) -> its rule, for those that stop by the fitted curve.

    Raises:
        StudyError: if there is no history, or a file lacks a column or has no row.
    """
    if not histories:
        raise StudyError(f"experiment '{experiment}' has no learning curves to draw", remedy="give it a cell")
    curves = {cell: read_history(path, COLUMNS) for cell, path in histories}
    panels = list(dict.fromkeys(Panel(cell.dataset, cell.model, cell.recipe) for cell in curves))
    title = f"Learning curves of experiment {experiment}"
    if len(panels) > MOST:
        title += f" (the first {MOST} of {len(panels)} panels)"
        logger.warning("curves of %s: %d panels left out; see history.csv", experiment, len(panels) - MOST)
    losses = list(dict.fromkeys(cell.loss for cell in curves))
    rules = rules or {}
    fitted = any(panel.rule(rules) for panel in panels[:MOST])

    style.use_style()
    figure = _panels(panels[:MOST], curves, style.colours(losses), phantoms, rules)
    phantom = any(panel.dataset in phantoms for panel in panels)
    style.finish(figure, title, _keys(style.colours(losses), fitted), outputs, phantom)


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Return the panels row by row; every data set begins a row of its own, and its rows are about equally long."""
    rows: list[list[Panel]] = []
    for _, group in itertools.groupby(panels, lambda panel: panel.dataset):
        of_dataset = list(group)
        across = -(-len(of_dataset) // -(-len(of_dataset) // ACROSS))
        rows += [of_dataset[first : first + across] for first in range(0, len(of_dataset), across)]
    return rows


def _panels(
    panels: Sequence[Panel],
    curves: Mapping[Cell, pd.DataFrame],
    colours: Mapping[str, str],
    phantoms: Collection[str],
    rules: Rules,
) -> Figure:
    from matplotlib import pyplot

    rows = _rows(panels)
    heights = [(1.15, 0.75, 1) if any(panel.rule(rules) for panel in row) else (1.15, 1) for row in rows]
    figure, grid = pyplot.subplots(
        sum(map(len, heights)),
        max(map(len, rows)),
        figsize=(style.WIDTH, 1.1 + sum(3.2 if len(parts) == 2 else 4.4 for parts in heights)),
        height_ratios=[height for parts in heights for height in parts],
        squeeze=False,
        layout="constrained",
    )
    for axes in grid.flat:
        axes.set_visible(False)
    top = 0
    for row, parts in zip(rows, heights, strict=True):
        bottom = top + len(parts) - 1
        for j, panel in enumerate(row):
            histories = {cell: history for cell, history in curves.items() if cell[:2] + cell[3:4] == panel}
            upper, lower = grid[top, j], grid[bottom, j]
            _draw_pair(upper, lower, histories, colours)
            upper.set_title(_name(panel, panels, phantoms))
            if rule := panel.rule(rules):
                draw_rule(upper, grid[top + 1, j], histories, colours, rule)
                grid[top + 1, j].set_xlim(lower.get_xlim())
            elif len(parts) == 3:
                grid[top + 1, j].set_visible(True)
                grid[top + 1, j].axis("off")
                _note(grid[top + 1, j], "does not stop by the fitted curve")
            if j == 0:
                upper.set_ylabel("loss")
                lower.set_ylabel("validation Dice")
        top += len(parts)
    figure.align_ylabels(grid[:, 0])
    return figure


def _note(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, color=style.MUTED, ha="center", va="center", transform=axes.transAxes)


def _name(panel: Panel, panels: Sequence[Panel], phantoms: Collection[str]) -> str:
    recipes = {other.recipe for other in panels if other.dataset == panel.dataset}
    dataset = style.dataset_title(panel.dataset, phantoms)
    return "\n".join([dataset, panel.model + (f", {panel.recipe}" if len(recipes) > 1 else "")])


def _draw_pair(upper: Axes, lower: Axes, curves: Mapping[Cell, pd.DataFrame], colours: Mapping[str, str]) -> None:
    """Draw the losses of one panel's cells into `upper` and their validation Dice into `lower`.

    Without validation images `lower` says so, and the dot of the weights that were kept lies on the training loss.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = []
    measured = any(history["val_loss"].notna().any() for history in curves.values())
    for cell, history in curves.items():
        colour = colours[cell.loss]
        validated = history.dropna(subset=["val_loss"])
        points = validated if measured else history
        dot = "." if len(points) < 3 else ""  # a line through one point is invisible
        upper.plot(history["epoch"], history["train_loss"], color=colour, lw=0.8, ls=(0, (3, 2)), marker=dot)
        upper.plot(validated["epoch"], validated["val_loss"], color=colour, lw=1.1, marker=dot)
        lower.plot(validated["epoch"], validated["val_dice"], color=colour, lw=1.1, marker=dot)
        kept = history[history["best"] == 1].tail(1)
        for axes, column in ((upper, "val_loss" if measured else "train_loss"), (lower, "val_dice")):
            axes.plot(
                kept["epoch"], kept[column], "o", ms=4.5, mfc=colour, mec="white", mew=0.8, zorder=5, clip_on=False
            )
        values += [history["train_loss"], validated["val_loss"]]
    finite = pd.concat(values).dropna()
    if len(finite) and finite.min() > 0 and finite.max() > 20 * finite.min():
        # Losses of different kinds differ by orders of magnitude: on a straight scale one would hide the other.
        upper.set_yscale("log")
        upper.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    lower.set_ylim(0, 1)
    lower.set_xlabel("epoch")
    for axes in (upper, lower):
        axes.set_visible(True)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        style.bare(axes)
    upper.tick_params(labelbottom=False)
    if measured:
        upper.set_xlim(lower.get_xlim())
    else:
        lower.set_xlim(upper.get_xlim())
        _note(lower, "no validation images")


def _keys(colours: Mapping[str, str], fitted: bool) -> list[Artist]:
    return [
        *(style.key(loss, color=colour, lw=2) for loss, colour in colours.items()),
        style.key("training loss", lw=0.9, ls=(0, (3, 2))),
        style.key("validation", lw=1.2),
        style.key("weights kept (best epoch)", marker="o", ls="", mec="white", ms=6),
        *(rule_keys() if fitted else []),
    ]
