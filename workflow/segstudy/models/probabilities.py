"""What stands before and behind every network: intensities are scaled, logits become probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def channel_statistics(
    normalisation: Mapping[str, Sequence[float]], device: torch.device | str | None = None
) -> tuple[Tensor, Tensor]:
    """Return `mean` and `std` of each channel, (1, C, 1, 1) each: a network sees (x - mean) / std, x in 0..1."""
    mean, std = (torch.tensor(normalisation[key], device=device).view(1, -1, 1, 1) for key in ("mean", "std"))
    return mean, std


def probabilities(logits: Tensor) -> Tensor:
    """Return the probabilities (B, K, H, W) of logits: one channel through a sigmoid, several through a softmax."""
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)
