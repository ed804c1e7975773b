"""Losses of shape: centre lines, and distance from the true outline."""

from __future__ import annotations

import torch
from torch import Tensor

from segstudy.losses.common import TINY, foreground, mean, mean_of_images
from segstudy.losses.distance_map import signed_distance
from segstudy.losses.overlap import dice
from segstudy.losses.skeleton import soft_skeleton


def soft_cldice(logits: Tensor, target: Tensor, roi: Tensor, *, iterations: int, alpha: float, smooth: float) -> Tensor:
    """(1 - alpha) * `dice` + alpha * (1 - 2 P S / (P + S)), soft clDice (Shit et al. 2021).

    P = (sum(s(p)*y) + s) / (sum(s(p)) + s) is the share of the predicted centre lines that lies in the mask,
    S = (sum(s(y)*p) + s) / (sum(s(y)) + s) the share of the true ones that is found, s(.) the soft skeleton.
    Per image and foreground class, then the mean, as for `dice`.
    """
    p, y = foreground(logits, target)
    m = roi.unsqueeze(1)
    p, y = p * m, y * m
    predicted, true = soft_skeleton(p, m, iterations), soft_skeleton(y, m, iterations)
    axes = (2, 3)
    precision = ((predicted * y).sum(axes) + smooth + TINY) / (predicted.sum(axes) + smooth + TINY)
    sensitivity = ((true * p).sum(axes) + smooth + TINY) / (true.sum(axes) + smooth + TINY)
    lines = mean_of_images(1 - 2 * precision * sensitivity / (precision + sensitivity + TINY), m.sum(axes))
    if alpha == 1:
        return lines
    return (1 - alpha) * dice(logits, target, roi, form="sum", smooth=smooth, batch=False) + alpha * lines


def boundary(logits: Tensor, target: Tensor, roi: Tensor, *, normalise: bool) -> Tensor:
    """Boundary loss: mean of phi * p (Kervadec et al. 2019), over several foreground classes their mean.

    phi is the signed distance of a pixel from the outline of the true region, in pixels: positive outside, not
    positive inside (`segstudy.losses.distance_map`), 0 all over an image without an outline. `normalise` divides it
    by the image diagonal. The value of a right prediction is negative, not 0: the paper leaves out the part that no
    prediction changes.
    """
    p, y = foreground(logits, target)
    with torch.no_grad():
        phi = signed_distance(y > 0.5, (roi > 0).unsqueeze(1)).to(p.dtype)
        if normalise:
            phi = phi / (phi.shape[2] ** 2 + phi.shape[3] ** 2) ** 0.5
    return mean((phi * p).mean(1), roi)
