"""What a network costs: parameters and floating-point operations."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from segstudy.runtime.uncompiled import leave_uncompiled

Result = TypeVar("Result")
# Parameters times pixels: a pass of at most about 8 GFLOP, a few tenths of a second.
SMALL = 4_000_000_000
# Without products to count. Of others torch looks for some in their parts, and loads sympy for that, 0.4 s.
NOT_COUNTED = {
    operator: lambda *_, **__: 0
    for operator in (
        torch.ops.aten.native_batch_norm.default,
        torch.ops.aten.upsample_nearest2d.default,
        torch.ops.aten.upsample_bilinear2d.default,
    )
}


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def count_flops(network: nn.Module, in_channels: int, height: int, width: int) -> int:
    """Return the floating-point operations of one image's forward pass; a multiply-add counts as 2.

    Convolutions and matrix products only, as `torch.utils.flop_counter` counts them: normalisation, activation,
    pooling and upsampling are left out, they are memory traffic rather than arithmetic. See `dry_run`.
    """

    def run(copied: nn.Module, device: torch.device) -> int:
        with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=NOT_COUNTED) as counter:
            leave_uncompiled(type(counter.mode).__torch_dispatch__)
            copied.eval()(torch.zeros(1, in_channels, height, width, device=device))
        return int(counter.get_total_flops())

    return dry_run(network, run, height * width)


def count_saved_bytes(network: nn.Module, in_channels: int, height: int, width: int, bytes_per_value: int = 4) -> int:
    """Return the bytes that a training pass keeps of one image until its backward pass is done.

    They are most of what a batch takes in memory; weights, gradients and workspaces come on top. Tensors that share
    their memory count once, weights not at all. `bytes_per_value`: 4 in fp32, 2 in bf16. Two images are run, since
    batch normalisation cannot learn from one value; see `dry_run`.
    """

    def run(copied: nn.Module, device: torch.device) -> int:
        copied.train()
        own = {tensor.untyped_storage()._cdata for tensor in (*copied.parameters(), *copied.buffers())}
        kept: dict[int, Tensor] = {}  # the tensors themselves, so that no storage is given to another one meanwhile

        def note(tensor: Tensor) -> Tensor:
            place = tensor.untyped_storage()._cdata
            if place not in own:
                kept[place] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            copied(torch.zeros(2, in_channels, height, width, device=device)).sum()
        return sum(tensor.untyped_storage().nbytes() // tensor.element_size() for tensor in kept.values())

    return dry_run(network, run, height * width) * bytes_per_value // 2


def dry_run(network: nn.Module, run: Callable[[nn.Module, torch.device], Result], pixels: int) -> Result:
    """Return what `run` makes of a copy of `network`, and of the device on which the copy wants images of `pixels`.

    The copy lies on torch's meta device, where sizes cost no time. A network of a library may look at values on its
    way, or hold tensors that do not move with it, and cannot run there: it is run on the CPU instead, with the same
    result. So is a small pass: it is done before torch has loaded what the meta device needs, more than a second. Where
    `network` has no values (`segstudy.models.unfilled`), those of the copy are arbitrary.
    """
    if pixels * count_parameters(network) > SMALL:
        with suppress(RuntimeError):  # NotImplementedError is one too
            return run(copy.deepcopy(network).to("meta"), torch.device("meta"))
    with torch.random.fork_rng(devices=[]):
        no_values = any(weight.is_meta for weight in network.parameters())
        copied = copy.deepcopy(network)
        if no_values:  # as `to_empty`, whose way to the CPU loads sympy
            copied._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))
        return run(copied.cpu(), torch.device("cpu"))
