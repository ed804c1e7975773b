"""One optimizer step: forward and backward passes in parts, whose number doubles where memory does not suffice."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError, first_line
from segstudy.losses.build import Loss
from segstudy.models.probabilities import channel_statistics
from segstudy.runtime import memory
from segstudy.training.device_data import Batch

logger = logging.getLogger("segstudy")

Forward = Callable[[Tensor], Any]  # images in 0..1 -> logits


def make_forward(
    model: Callable[[Tensor], Any], scaling: Mapping[str, Sequence[float]], device: torch.device, amp_dtype: torch.dtype
) -> Forward:
    """Return the forward pass of a model: images (B, C, H, W) in 0..1, changed in place, are scaled and passed on.

    Args:
        model: scaled images -> logits.
        scaling: `mean` and `std` of each channel.
        amp_dtype: bfloat16 turns autocast to it on; float32 leaves everything as it is.
    """
    mean, std = channel_statistics(scaling, device)

    def forward(x: Tensor) -> Any:
        x = x.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=amp_dtype == torch.bfloat16):
            return model(x)

    return forward


def training_step(
    model: nn.Module,
    forward: Forward,
    optimizer: torch.optim.Optimizer,
    losses: Sequence[tuple[Loss, Batch]],
    recipe: Recipe,
    accumulate: int,
    dropout_seed: int,
) -> tuple[Tensor, int]:
    """Take one step; return the loss, and the number of parts that batches go through in from now on.

    With `on_oom: halve` a step that runs out of memory is repeated from the same state with twice the parts, until
    it fits. Only gradients have been made until then: they are dropped, the buffers (running statistics of batch
    normalisation) get back the values they had before, and the step's random draws start anew. So the step ends with
    the bits of one that had these parts from the beginning.

    Args:
        model: its gradients and buffers are changed.
        forward: images -> logits, through the model; or several of them, see `mean_loss`.
        losses: pairs of a loss and its batch (images, masks, rois); their values are added.
        recipe: its gradient_clip and on_oom.
        accumulate: parts of each batch.
        dropout_seed: of the draws inside the model.

    Raises:
        StudyError: with `on_oom: halve`, when parts of a single image do not fit.
    """
    repeatable = recipe.on_oom == "halve"
    buffers = [buffer.clone() for buffer in model.buffers()] if repeatable else []
    while True:
        optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(dropout_seed)
        problem = ""
        try:
            values = [accumulate_gradients(forward, *pair, accumulate, keep=repeatable) for pair in losses]
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not repeatable or not memory.exhausted(error):
                raise
            # Not to be acted on here: the error's frames still hold all tensors of the failed pass.
            problem = first_line(error)
        if not problem:
            break
        accumulate = _doubled_parts(accumulate, max(len(batch[0]) for _, batch in losses), problem)
        _restore_buffers(model, optimizer, buffers)
    # Outside of the attempt: a step that the optimizer has begun cannot be repeated, and needs no images.
    if recipe.gradient_clip is not None:
        nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
    optimizer.step()
    return functools.reduce(torch.add, values), accumulate


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


def _doubled_parts(accumulate: int, count: int, problem: str) -> int:
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
def _restore_buffers(model: nn.Module, optimizer: torch.optim.Optimizer, buffers: list[Tensor]) -> None:
    for buffer, before in zip(model.buffers(), buffers, strict=True):
        buffer.copy_(before)
    optimizer.zero_grad(set_to_none=True)
    memory.release()
