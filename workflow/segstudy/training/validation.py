"""Validation after an epoch: mean loss and mean Dice overlap of whole images, on the canvas."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from segstudy.training.device_data import DeviceData, Rows
from segstudy.training.tasks.base import Task


@torch.inference_mode()
def validate(
    forward: Callable[[Tensor], Tensor],
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    data: DeviceData,
    rows: Rows,
    batch_size: int,
    stop: Callable[[], object],
    task: Task | None = None,
) -> tuple[float, float]:
    """Return loss and Dice overlap of whole images, each the mean over images; no Dice (nan) where none is scored.

    Both are computed image by image, so that neither depends on `batch_size`. When `stop()` is true the validation
    ends at once, and its values mean nothing.

    Args:
        forward: images (B, C, H, W) in 0..1 -> logits (B, K, H, W), the network being in evaluation mode.
        loss: f(logits, target, roi) -> scalar.
        data: of the training.
        rows: images to measure; at least one.
        batch_size: images in one forward pass.
        stop: asked before every pass.
        task: of the training; None is masks.
    """
    task = task or Task()
    losses: list[Tensor] = []
    overlaps: list[Tensor] = []
    for first in range(0, len(rows), batch_size):
        if stop():
            return float("nan"), float("nan")
        part = rows[first : first + batch_size]
        images, target, roi = task.validation_batch(data.fetch(part, task.validation_windows(len(part))), part)
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
    classified = (logits[:, 0] > 0).long() if classes == 1 else logits.argmax(1)
    inside = roi > 0
    # A binary mask is foreground wherever it is not 0.
    truth = (target > 0).long() if classes == 1 else target.long()
    scores = []
    for name in range(1, max(classes, 2)):
        predicted, wanted = (classified == name) & inside, (truth == name) & inside
        both = (predicted & wanted).sum((1, 2))
        scores.append(2 * both / (predicted.sum((1, 2)) + wanted.sum((1, 2))))
    return torch.stack(scores).nanmean(0)
