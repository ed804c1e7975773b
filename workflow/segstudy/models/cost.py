"""What a network costs: parameters and floating-point operations."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
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


def count_saved_bytes(network: nn.Module, in_channels: int, height: int, width: int, bytes_per_value: int = 4) -> int:
    """Return the bytes that a training pass keeps of one image until its backward pass is done.

    They are most of what a batch takes in memory; weights, gradients and workspaces come on top. Tensors that share
    their memory count once, weights not at all. `bytes_per_value`: 4 in fp32, 2 in bf16. A copy on the meta device
    is run on two images, since batch normalisation cannot learn from one value.
    """
    copied = copy.deepcopy(network).to("meta").train()
    own = {tensor.untyped_storage()._cdata for tensor in (*copied.parameters(), *copied.buffers())}
    kept: dict[int, Tensor] = {}  # the tensors themselves, so that no storage is given to another one meanwhile

    def note(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage()._cdata
        if place not in own:
            kept[place] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        copied(torch.zeros(2, in_channels, height, width, device="meta")).sum()
    values = sum(tensor.untyped_storage().nbytes() // tensor.element_size() for tensor in kept.values())
    return values * bytes_per_value // 2
