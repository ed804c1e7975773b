"""Regularisers, terms of a sum that never look at the mask, and the sum of `bce` and total variation."""

from __future__ import annotations

import torch
from torch import Tensor

from segstudy.losses.common import mean
from segstudy.losses.pixelwise import bce


def total_variation(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Regulariser: (sum |p_{i+1,j} - p_{i,j}| + sum |p_{i,j+1} - p_{i,j}|) / counted pixels (S1: contiguity).

    A pair of neighbours counts where both lie inside the roi. S1 takes sums in both parts of the loss; both
    are divided by the number of pixels here, which leaves the balance between them as it is.
    """
    p = logits[:, 0].sigmoid()
    down = (p[:, 1:] - p[:, :-1]).abs() * (roi[:, 1:] * roi[:, :-1])
    right = (p[:, :, 1:] - p[:, :, :-1]).abs() * (roi[:, :, 1:] * roi[:, :, :-1])
    return (down.sum() + right.sum()) / roi.sum().clamp(min=1)


def bce_tv(logits: Tensor, target: Tensor, roi: Tensor, *, weight: float) -> Tensor:
    """`bce` + weight * `total_variation` (S1)."""
    return bce(logits, target, roi) + weight * total_variation(logits, target, roi)


def centered(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Regulariser: 1 - p at pixel (H // 2, W // 2), mean over the images where that pixel counts (S1)."""
    row, column = roi.shape[1] // 2, roi.shape[2] // 2
    return mean(torch.sigmoid(-logits[:, 0, row, column]), roi[:, row, column])


def sparsity(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Regulariser: mean of p (S1's L1 term)."""
    return mean(logits[:, 0].sigmoid(), roi)
