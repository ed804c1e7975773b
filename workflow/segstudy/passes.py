"""The pass of a batch through a network: intensities scaled, channels last, in the arithmetic of the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Forward = Callable[[Tensor], Any]
Through = Callable[[Callable[[Tensor], Any]], Forward]


def passes(scaling: Mapping[str, Sequence[float]], device: torch.device, arithmetic: torch.dtype) -> Through:
    """Return a function that turns a network into: images (B, C, H, W) in 0..1, changed in place -> what it returns.

    Args:
        scaling: `mean` and `std` of each channel.
        device: of networks and images.
        arithmetic: bfloat16 multiplies in it; float32 leaves everything as it is.
    """
    mean, std = (torch.tensor(scaling[key], device=device).view(1, -1, 1, 1) for key in ("mean", "std"))

    def through(network: Callable[[Tensor], Any]) -> Forward:
        def forward(x: Tensor) -> Any:
            x = x.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=arithmetic == torch.bfloat16):
                return network(x)

        return forward

    return through
