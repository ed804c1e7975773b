"""Shared by the formulas of the losses: y, p and the mean over the counted pixels."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

TINY = 1e-7  # keeps 0/0 of an empty overlap at 1 when smooth is 0; far below one pixel
IGNORED = -100  # class id that cross-entropy skips


def binary(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return z and y as (B, H, W) of one float type."""
    return logits[:, 0], target.to(logits.dtype)


def foreground(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return p and y of the foreground classes as (B, C, H, W) of one float type.

    One class: sigmoid. Several: softmax, without the background's channel; y is one-hot.
    """
    if logits.shape[1] == 1:
        p, y = logits.sigmoid(), target.unsqueeze(1)
    else:
        p = logits.softmax(dim=1)[:, 1:]
        y = target.unsqueeze(1) == torch.arange(1, logits.shape[1], device=target.device).view(1, -1, 1, 1)
    return p, y.to(p.dtype)


def mean(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of `values` where `counts` is 1 and not 0; 0, with zero gradient, where it is 1 nowhere."""
    return (values * counts).sum() / counts.sum().clamp(min=1)


def mean_of_images(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean of `values` over classes and the images that have counted pixels.

    Args:
        values: (B, C), or (C,) where the whole batch was taken as one image.
        counted: number of counted pixels, (B, 1) or (1,).
    """
    return mean(values, (counted > 0).to(values.dtype).expand_as(values))


@functools.lru_cache(maxsize=16)
def constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return `values` on the device, copied there once: every copy from the host makes the device wait."""
    with torch.inference_mode(False):  # made during a validation, it must still serve the training
        return torch.tensor(values, device=device, dtype=dtype)
