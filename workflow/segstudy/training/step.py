"""One step of the optimiser: a batch in parts, whose number may double when the memory does not hold them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError
from segstudy.runtime import memory
from segstudy.training.device_data import Batch

logger = logging.getLogger("segstudy")


Forward = Callable[[Tensor], Any]


Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def take_step(
    network: nn.Module,
    forward: Forward,
    loss: Loss,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    recipe: Recipe,
    accumulate: int,
    draws: int,
    beside: Sequence[tuple[Loss, Batch]] = (),
) -> tuple[Tensor, int]:
    """Take one step on a batch; return the loss, and the number of parts that batches go through in from now on.

    With `on_oom: halve` a step that runs out of memory is repeated from the same state with twice the parts, until
    it fits. Only gradients have been made until then: they are dropped, the buffers (running statistics of batch
    normalisation) get back the values they had before, and the step's random draws start anew. So the step ends with
    the bits of one that had these parts from the beginning.

    Args:
        network: whose gradients and buffers the step changes.
        forward: images -> logits, through the network; or several of them, see `mean_loss`.
        loss: f(logits, target, roi) -> scalar.
        optimiser: of the network's parameters.
        batch: images, masks, rois.
        recipe: its gradient_clip and on_oom.
        accumulate: parts of a batch.
        draws: seed of what the network draws (dropout).
        beside: further losses, each on a batch of its own, that are added; they go through in as many parts.

    Raises:
        StudyError: with `on_oom: halve`, when parts of a single image do not fit.
    """
    count = max(len(images) for images, _, _ in (batch, *(other for _, other in beside)))
    repeatable = recipe.on_oom == "halve"
    before = [buffer.clone() for buffer in network.buffers()] if repeatable else []
    while True:
        optimiser.zero_grad(set_to_none=True)
        torch.manual_seed(draws)
        problem = ""
        try:
            total = accumulate_gradients(forward, loss, batch, accumulate, keep=repeatable)
            for other, others in beside:
                total += accumulate_gradients(forward, other, others, accumulate, keep=repeatable)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not repeatable or not memory.exhausted(error):
                raise
            # Not to be acted on here: the error's frames still hold all tensors of the failed pass.
            problem = memory.first_line(error)
        if not problem:
            break
        accumulate = _twice(accumulate, count, problem)
        _undo(network, optimiser, before)
    # Outside of the attempt: a step that the optimiser has begun cannot be repeated, and needs no images.
    if recipe.gradient_clip is not None:
        nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
    optimiser.step()
    return total, accumulate


def accumulate_gradients(forward: Forward, loss: Loss, batch: Batch, accumulate: int, keep: bool) -> Tensor:
    """Add up the gradients of a batch in `accumulate` parts, weighted by their images; return the batch's loss.

    `forward` may change its images in place; with `keep` the batch stays as it was, so that this can be repeated.
    """
    count, total = len(batch[0]), torch.zeros((), device=batch[0].device)
    parts = [tensor.tensor_split(min(accumulate, count)) for tensor in batch]
    for x, target, roi in zip(*parts, strict=True):
        value = mean_loss(loss, forward(x.clone() if keep else x), target, roi) * (len(x) / count)
        value.backward()
        total += value.detach()
    return total


def mean_loss(loss: Loss, logits: Tensor | Sequence[Tensor], target: Tensor, roi: Tensor) -> Tensor:
    """Return the loss of logits (B, K, H, W); of several, such as a network's `all_logits`, the mean of their losses.

    The mean and not the sum: training and validation losses of a network then lie on one scale.
    """
    if isinstance(logits, Tensor):
        return loss(logits, target, roi)
    return torch.stack([loss(one, target, roi) for one in logits]).mean()


def _twice(accumulate: int, count: int, problem: str) -> int:
    if accumulate >= count:
        raise StudyError(
            f"out of memory with a single image at a time, of a batch of {count} ({problem})",
            where="the recipe's on_oom: halve",
            remedy="lower the recipe's crop, the data set's size or the network's width; or free memory on this device",
        )
    logger.warning(
        "out of memory with %d images at a time (%s): the step is repeated with batches in %d parts, "
        "as with the recipe's accumulate: %d",
        *(-(-count // accumulate), problem, 2 * accumulate, 2 * accumulate),
    )
    return 2 * accumulate


@torch.no_grad()
def _undo(network: nn.Module, optimiser: torch.optim.Optimizer, before: list[Tensor]) -> None:
    for buffer, value in zip(network.buffers(), before, strict=True):
        buffer.copy_(value)
    optimiser.zero_grad(set_to_none=True)
    memory.release()


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
