"""Losses that compare the predicted region with the true one as a whole: Dice and Tversky."""

from __future__ import annotations

import torch
from torch import Tensor

from segstudy.losses.common import TINY, foreground, mean_of_images


def dice(
    logits: Tensor, target: Tensor, roi: Tensor, *, form: str, smooth: float, batch: bool, skip_empty: bool = False
) -> Tensor:
    """Soft Dice loss, 1 - (2 I + s) / (D + s) with s = `smooth`.

    `sum`: I = sum(p*y), D = sum(p) + sum(y); `square`: D = sum(p^2) + sum(y^2) (both S4); `mean`: I and D of
    `sum` as means over the counted pixels, which with s = 1 is S1's 1 - (mean(2py) + 1) / (mean(p + y) + 1).

    One Dice per image, averaged over the images that have counted pixels, or one over the whole batch
    (`batch`). Several classes: p = softmax(z), y one-hot; the mean over the foreground classes. With `skip_empty` the
    loss of a class is 0 where y is 0 everywhere, and is still counted in the mean, as in pytorch-toolbelt's `DiceLoss`.
    """
    p, y = foreground(logits, target)
    m = roi.unsqueeze(1)
    p, y = p * m, y * m
    axes = (0, 2, 3) if batch else (2, 3)
    overlap = (p * y).sum(axes)
    total = p.square().sum(axes) + y.square().sum(axes) if form == "square" else p.sum(axes) + y.sum(axes)
    counted = m.sum(axes)
    if form == "mean":
        overlap, total = overlap / counted.clamp(min=1), total / counted.clamp(min=1)
    values = 1 - (2 * overlap + smooth + TINY) / (total + smooth + TINY)
    if skip_empty:
        values = values * (y.sum(axes) > 0)
    return mean_of_images(values, counted)


def tversky(
    logits: Tensor, target: Tensor, roi: Tensor, *, alpha: float, beta: float, smooth: float, batch: bool
) -> Tensor:
    """Tversky loss, 1 - (TP + s) / (TP + alpha FP + beta FN + s) (Salehi et al. 2017).

    TP = sum(p*y), FP = sum(p*(1-y)), FN = sum((1-p)*y); images, batch and classes as for `dice`. alpha = beta = 0.5
    is Dice (with half its s), alpha = beta = 1 IoU; beta > alpha makes a missed pixel the worse mistake.
    """
    values, counted = _tversky_errors(logits, target, roi, alpha, beta, smooth, batch)
    return mean_of_images(values, counted)


def focal_tversky(
    logits: Tensor, target: Tensor, roi: Tensor, *, alpha: float, beta: float, gamma: float, smooth: float, batch: bool
) -> Tensor:
    """Focal Tversky loss, (1 - T)^(1 / gamma) with T the Tversky index (Abraham & Khan 2019).

    There alpha weighs the missed pixels and beta the false ones; here it is as in `tversky`. Below 1e-7 a straight
    line stands for the power, whose slope at 0 is infinite for gamma > 1: a perfect image would end the training.
    """
    errors, counted = _tversky_errors(logits, target, roi, alpha, beta, smooth, batch)
    power = 1 / gamma
    values = torch.where(errors > TINY, errors.clamp(min=TINY) ** power, errors * TINY ** (power - 1))
    return mean_of_images(values, counted)


def _tversky_errors(
    logits: Tensor, target: Tensor, roi: Tensor, alpha: float, beta: float, smooth: float, batch: bool
) -> tuple[Tensor, Tensor]:
    """Return 1 - T for each image and class, and the counted pixels of each image.

    1 - T = E / (TP + E + s) with E = alpha FP + beta FN: nothing cancels, and no 1 - T is below 0.
    """
    p, y = foreground(logits, target)
    m = roi.unsqueeze(1)
    axes = (0, 2, 3) if batch else (2, 3)
    wrong = alpha * (p * (1 - y) * m).sum(axes) + beta * ((1 - p) * y * m).sum(axes)
    return wrong / ((p * y * m).sum(axes) + wrong + smooth + TINY), m.sum(axes)
