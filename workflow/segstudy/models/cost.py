"""What a network costs: parameters and floating-point operations."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def count_flops(network: nn.Module, in_channels: int, height: int, width: int) -> int:
    """Return the floating-point operations of one image's forward pass; a multiply-add counts as 2.

    Convolutions and matrix products only, as `torch.utils.flop_counter` counts them: normalisation, activation,
    pooling and upsampling are left out, they are memory traffic rather than arithmetic. A copy on the meta
    device is run, so that size costs no time.
    """
    copied = copy.deepcopy(network).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        copied(torch.zeros(1, in_channels, height, width, device="meta"))
    return int(counter.get_total_flops())
