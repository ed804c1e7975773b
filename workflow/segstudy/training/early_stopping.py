"""When to stop early: patience on the validation loss, or a flat curve through the last training losses.

The curve is that of the EBHI-SEG report, section 0.2: "the interpolation curve is calculated using the last 10 loss
values. The first and last values are treated as fixed points, and a quadratic polynomial is fitted to minimize the
standard deviation of the intermediate points. The angular coefficient of the derivative of this curve, evaluated at
the last point, provides an index of the loss trend."
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segstudy.config.recipes import CurveStopping, EarlyStopping


def curve_fit(losses: Sequence[float]) -> tuple[float, float, float]:
    """Return (a, b, c) of the quadratic a x^2 + b x + c through `losses` at x = 0, 1, .., n - 1 (epochs).

    First and last value lie on the curve exactly; the others are fitted by least squares. With L(x) the line
    through the two ends, every such curve is L(x) + a x (x - (n - 1)), so that one number is left to fit:
    a = sum_i r_i w_i / sum_i w_i^2, where r_i = loss_i - L(i) and w_i = i (i - (n - 1)).

    Raises:
        ValueError: with fewer than three losses, which leave nothing to fit.
    """
    values = np.asarray(losses, dtype=np.float64)
    last = len(values) - 1
    if last < 2:
        raise ValueError(f"a quadratic with fixed ends needs at least 3 losses, found {len(values)}")
    x = np.arange(last + 1, dtype=np.float64)
    rise = (values[-1] - values[0]) / last
    residuals = values - (values[0] + rise * x)
    bend = x * (x - last)
    a = float(residuals @ bend / (bend @ bend))
    return a, float(rise - a * last), float(values[0])


def curve_slope(losses: Sequence[float], window: int = 10) -> float:
    """Return the slope of the fitted curve at the last epoch over the loss scale, per epoch.

    The scale is the largest absolute loss of ALL epochs so far, so that the index does not change when every
    loss is multiplied by the same factor. Before `window` epochs it is not a number. All losses zero: slope zero.
    """
    if len(losses) < window:
        return float("nan")
    a, b, _ = curve_fit(losses[-window:])
    scale = float(np.max(np.abs(losses)))
    return (2 * a * (window - 1) + b) / scale if scale > 0 else 0.0


def flat(slopes: Sequence[float], options: CurveStopping | None) -> bool:
    """Return whether |slope| stayed under the threshold for MORE than `options.epochs` epochs, past epoch `after`.

    `slopes` holds one value an epoch from the first; not-a-number is not flat.
    """
    if options is None or len(slopes) <= options.after or len(slopes) <= options.epochs:
        return False
    return all(abs(slope) < options.threshold for slope in slopes[-(options.epochs + 1) :])


def best_loss(history: Sequence[Mapping[str, Any]]) -> float:
    """Return the lowest validation loss so far; infinity before the first."""
    return min((row["val_loss"] for row in history if math.isfinite(row["val_loss"])), default=math.inf)


def reason(history: Sequence[Mapping[str, Any]], options: EarlyStopping) -> str:
    """Return why a training with this history ends now, or an empty string if it goes on.

    Derived from the rows of history.csv alone, so that a resumed training decides as an undisturbed one.
    """
    if not history:
        return ""
    epoch = history[-1]["epoch"]
    if flat([row["slope"] for row in history], options.curve):
        return f"the curve of the training loss was flat for more than {options.curve.epochs} epochs"  # type: ignore
    lowest = best_loss(history)
    best = next((row["epoch"] for row in history if row["val_loss"] == lowest), 0)
    if options.patience is not None and best and epoch - best >= options.patience:
        return f"no better validation loss for {epoch - best} epochs"
    return ""
