"""The memory of a training step, counted on tensors that have sizes and no values: nothing is computed."""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from segstudy.core.errors import StudyError, first_line
from segstudy.models import registry
from segstudy.runtime.resources import NetworkMemory

logger = logging.getLogger("segstudy")

# Bytes of a parameter: weight, gradient, and two running means of Adam.
PER_PARAMETER = 4 * 4
# On the CPU: what convolutions load before the first step, and the gaps between tensors in the heap. Measured for every
# network at 64, 128 and 256 pixels, in both arithmetics: `make bench PART=memory`.
LIBRARIES, GAPS = 35e6, 1.45


class StepBytes(NamedTuple):
    """The bytes of a training step's tensors."""

    weights: int  # with their gradients, and Adam's state
    images: int  # batch, what the forward pass keeps of it, and what the backward pass holds beside that

    @property
    def tensors(self) -> int:
        """All of them, at the fullest moment."""
        return self.weights + self.images

    def process(self, start: float) -> float:
        """Return the bytes of a training process on the CPU that had `start` before it built the network."""
        return start + LIBRARIES + self.weights + GAPS * self.images


class LiveBytes(TorchDispatchMode):
    """Add up the memory of the tensors that operations make, as long as somebody holds them; keep the largest sum."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}  # bytes by address
        self.live = self.largest = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation; note the memory of its results."""
        results = operation(*args, **(kwargs or {}))
        for result in tree_leaves(results):
            if isinstance(result, Tensor):
                self._note(result.untyped_storage())
        return results

    def _note(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self.sizes:  # a view, or changed in place
            return
        self.sizes[storage._cdata] = storage.nbytes()
        self.live += storage.nbytes()
        self.largest = max(self.largest, self.live)
        weakref.finalize(storage, self._drop, storage._cdata)

    def _drop(self, address: int) -> None:
        self.live -= self.sizes.pop(address, 0)


def step_bytes(
    settings: Mapping[str, Any], channels: int, outputs: int, images: int, size: tuple[int, int], bf16: bool = False
) -> StepBytes:
    """Return the bytes of the tensors at the fullest moment of a training step.

    Not what libraries take for themselves (workspaces, code of kernels) and what an allocator leaves unused.

    Args:
        settings: kind and options of the network, as `Study.model_settings` resolves them.
        outputs: logits of a pixel.
        images: that go through the network at once: `batch_size` / `accumulate`.
        size: height, width of what the network sees.
        bf16: whether the passes run in bfloat16 autocast.

    Raises:
        Exception: of many types, where a library's network looks at values, which there are none.
    """
    with FakeTensorMode():
        network = registry.build(dict(settings), channels, outputs).train()
        parameters = sum(parameter.numel() for parameter in network.parameters())
        with LiveBytes() as memory:
            batch = torch.empty(images, *size, channels).permute(0, 3, 1, 2)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = getattr(network, "all_logits", network)(batch)
            several = logits if isinstance(logits, list | tuple) else [logits]
            del logits
            losses = [
                functional.binary_cross_entropy_with_logits(x.float(), torch.empty_like(x).float()) for x in several
            ]
            del several, batch
            torch.stack(losses).mean().backward()
        return StepBytes(PER_PARAMETER * parameters, max(0, memory.largest - 4 * parameters))


COUNTED = (2, 16)  # images of the two steps that `network_memory` counts; between them, it is never less than a count


def network_memory(
    settings: Mapping[str, Any], channels: int, outputs: int, size: tuple[int, int], gpu: bool, bf16: bool
) -> NetworkMemory | None:
    """Return what a network takes in training; None where it looks at values, so that nothing can be counted.

    On a GPU these are the tensors of a step, on the CPU also what a process takes for them. Arguments as those of
    `step_bytes`; `gpu`: whether it trains on one.
    """
    counts = []
    for images in COUNTED:
        try:
            step = step_bytes(settings, channels, outputs, images, size, bf16)
        except StudyError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            logger.warning("%s: its memory is guessed, since it cannot be counted (%s)", settings["network"], reason)
            return None
        counts.append((step.tensors if gpu else step.process(0)) / 1e6)
    few, many = COUNTED
    of_image = (counts[1] - counts[0]) / (many - few)
    return NetworkMemory(counts[0] - few * of_image, of_image * 1e6 / math.prod(size))
