"""Early stopping by the fitted curve, drawn: the fit on the losses, and its slope against the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.recipes import CurveStopping
from segstudy.figures import style
from segstudy.training.early_stopping import curve_fit, flat

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# Broad and pale: the losses are seen through it.
FIT: dict[str, Any] = {"lw": 3.2, "alpha": 0.4, "solid_capstyle": "round"}
STOP: dict[str, Any] = {"marker": "X", "ms": 6, "mec": "white", "mew": 0.8, "ls": ""}
BAND: dict[str, Any] = {"color": style.MUTED, "alpha": 0.18, "lw": 0}


def draw_rule(
    losses: Axes, slopes: Axes, curves: Mapping[Cell, pd.DataFrame], colours: Mapping[str, str], rule: CurveStopping
) -> None:
    """Draw the last fitted quadratic of each cell into `losses`, and into `slopes` its slope in every epoch.

    The slope is that of the quadratic at its last epoch over the largest loss so far, as `history.csv` has it. The
    scale is straight within two thresholds of zero, where the decision falls, and logarithmic beyond, where it starts.
    A cross marks the last epoch of a training that ended because its curve was flat.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    slopes.set_visible(True)
    slopes.axhspan(-rule.threshold, rule.threshold, **BAND)
    slopes.axhline(0, color=style.MUTED, lw=0.6)
    if rule.after:
        slopes.axvline(rule.after + 0.5, color=style.MUTED, lw=0.8, ls=":")
    for cell, history in curves.items():
        colour = colours[cell.loss]
        slopes.plot(history["epoch"], history["slope"], color=colour, lw=1.1)
        if len(history) >= rule.window:
            last = history.tail(rule.window)
            x = np.linspace(0, rule.window - 1, 4 * rule.window)
            fit = np.polyval(curve_fit(last["train_loss"].tolist()), x)
            losses.plot(last["epoch"].iloc[0] + x, fit, color=colour, zorder=1.5, **FIT)
        if flat(history["slope"].tolist(), rule):
            slopes.plot(history["epoch"].tail(1), history["slope"].tail(1), mfc=colour, zorder=5, clip_on=False, **STOP)
    slopes.set_yscale("symlog", linthresh=2 * rule.threshold)
    slopes.yaxis.set_major_locator(FixedLocator(_ticks(rule.threshold, *slopes.get_ylim())))
    slopes.yaxis.set_minor_locator(NullLocator())
    slopes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    slopes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    slopes.tick_params(labelbottom=False)
    slopes.set_ylabel("slope")
    style.bare(slopes)


def rule_keys() -> list[Artist]:
    """Return the entries of the legend that `draw_rule` needs."""
    from matplotlib.patches import Patch

    return [
        style.key("last fitted curve", **FIT),
        Patch(label="slopes that count as flat", **BAND),
        style.key("no stop before", lw=0.8, ls=":"),
        style.key("stopped: flat for long enough", **STOP),
    ]


def _ticks(threshold: float, low: float, high: float) -> list[float]:
    """Return the threshold on both sides of zero, and the powers of ten between its tenfold and the limits."""
    powers = [10.0**k for k in range(-9, 10) if 10.0**k > 5 * threshold]
    return [value for value in (0, -threshold, threshold, *(-p for p in powers), *powers) if low <= value <= high]
