"""The two numbers of an epoch: validation loss and validation Dice, on the canvas."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from segstudy.training.device_data import BatchOf, Rows
from segstudy.training.tasks.base import Task


@torch.inference_mode()
def validate(
    forward: Callable[[Tensor], Tensor],
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    batch_of: BatchOf,
    rows: Rows,
    together: int,
    stop: Callable[[], object],
    task: Task | None = None,
) -> tuple[float, float]:
    """Return loss and Dice overlap of whole images, each the mean over images; no Dice (nan) where none is scored.

    Image by image, so that neither depends on how many go through the network `together`. As soon as `stop()`
    says so it is cut short, with values that mean nothing.

    Args:
        forward: images (B, C, H, W) in 0..1 -> logits (B, K, H, W), the network being in evaluation mode.
        loss: f(logits, target, roi) -> scalar.
        batch_of: rows -> uint8 images, masks, rois.
        rows: images to measure; at least one.
        together: images in one forward pass.
        stop: asked before every pass.
        task: what was learned; None is masks.
    """
    task = task or Task()
    losses: list[Tensor] = []
    overlaps: list[Tensor] = []
    for first in range(0, len(rows), together):
        if stop():
            return float("nan"), float("nan")
        part = rows[first : first + together]
        images, target, roi = task.question(batch_of(part, task.windows(len(part))), part)
        logits = forward(images)
        losses += [loss(*(tensor[i : i + 1] for tensor in (logits, target, roi))) for i in range(len(images))]
        if task.scored:
            overlaps.append(dice(logits, target, roi))
    overlap = float(torch.cat(overlaps).double().nanmean()) if overlaps else float("nan")
    return float(torch.stack(losses).double().mean()), overlap


def dice(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
    """Return 2 TP / (2 TP + FP + FN) of each image inside its roi; (B,), not-a-number where it is not defined.

    One logit channel: foreground where sigmoid(logit) > 0.5, that is logit > 0. Several: the class of the largest
    logit; the mean over the foreground classes that occur in truth or prediction.
    """
    classes = logits.shape[1]
    found = (logits[:, 0] > 0).long() if classes == 1 else logits.argmax(1)
    inside = roi > 0
    # A binary mask is foreground wherever it is not 0.
    truth = (target > 0).long() if classes == 1 else target.long()
    scores = []
    for name in range(1, max(classes, 2)):
        predicted, wanted = (found == name) & inside, (truth == name) & inside
        both = (predicted & wanted).sum((1, 2))
        scores.append(2 * both / (predicted.sum((1, 2)) + wanted.sum((1, 2))))
    return torch.stack(scores).nanmean(0)
