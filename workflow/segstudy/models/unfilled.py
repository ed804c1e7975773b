"""Networks whose weights have no values: for their sizes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from segstudy.config.networks import NETWORKS
from segstudy.models.registry import build, resolve

DRAWING = ("normal_", "uniform_", "kaiming_normal_", "kaiming_uniform_")  # of a tensor, or of torch.nn.init


def unfilled(settings: Mapping[str, Any], in_channels: int, outputs: int) -> nn.Module:
    """Return a network on torch's meta device, where the weights of a wide one take no memory.

    The class of a library may look at its own weights: it is built on the CPU, with values.

    Raises:
        StudyError: as `segstudy.models.registry.build`.
    """
    with torch.random.fork_rng(devices=[]):
        if resolve(settings)[0] not in NETWORKS:
            return build(settings, in_channels, outputs)
        with torch.device("meta"), _NoValues():
            return build(settings, in_channels, outputs)


class _NoValues(TorchFunctionMode):
    """Draw no values for weights: on the meta device that would load torch's compiler, more than a second."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        values = kwargs or {}
        if getattr(func, "__name__", "") in DRAWING:
            return args[0] if args else values["tensor"]
        return func(*args, **values)
