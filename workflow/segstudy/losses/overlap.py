"""Losses that compare the predicted region with the true one as a whole: Dice and Tversky."""

from __future__ import annotations

from torch import Tensor

from segstudy.losses.common import TINY, foreground, mean_of_images


def dice(logits: Tensor, target: Tensor, roi: Tensor, *, form: str, smooth: float, batch: bool) -> Tensor:
    """Soft Dice loss, 1 - (2 I + s) / (D + s) with s = `smooth`.

    `sum`: I = sum(p*y), D = sum(p) + sum(y); `square`: D = sum(p^2) + sum(y^2) (both S4); `mean`: I and D of
    `sum` as means over the counted pixels, which with s = 1 is S1's 1 - (mean(2py) + 1) / (mean(p + y) + 1).

    One Dice per image, averaged over the images that have counted pixels, or one over the whole batch
    (`batch`). Several classes: p = softmax(z), y one-hot; the mean over the foreground classes.
    """
    p, y = foreground(logits, target)
    m = roi.unsqueeze(1)
    p, y = p * m, y * m
    axes = (0, 2, 3) if batch else (2, 3)
    overlap = (p * y).sum(axes)
    total = (p.square() if form == "square" else p).sum(axes) + y.sum(axes)
    counted = m.sum(axes)
    if form == "mean":
        overlap, total = overlap / counted.clamp(min=1), total / counted.clamp(min=1)
    values = 1 - (2 * overlap + smooth + TINY) / (total + smooth + TINY)
    return mean_of_images(values, counted)
