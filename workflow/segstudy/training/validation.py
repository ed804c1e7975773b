"""Validation after an epoch: mean loss and mean Dice overlap of whole images, on the canvas, or of random crops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from segstudy.config.recipes import Augmentation, Recipe
from segstudy.core import rng
from segstudy.training import augment_geometry
from segstudy.training.device_data import DeviceData, Rows, Windows
from segstudy.training.sampler import resample_to
from segstudy.training.tasks.base import Task


def images_to_validate(
    rows: Rows, recipe: Recipe, canvas: tuple[int, int], batch_size: int, task: Task, seed: int
) -> tuple[Rows, Windows | None, int]:
    """Return rows, windows and batch size of every validation; whole images have no windows.

    Args:
        rows: of the validation images.
        recipe: its `crop` and `validation_crops`.
        canvas: (height, width) of what the rows hold.
        batch_size: images of the largest training batch.
    """
    windows = None
    if recipe.validation_crops and recipe.crop and len(rows):
        rows, windows = random_crops(rows, recipe.validation_crops, recipe.crop, canvas, task, seed)
    # Validation takes no gradients: batches of small images are as large as one of 512 x 512 pixels.
    pixels = max(batch_size * math.prod(recipe.crop or canvas), 2**18)
    return rows, windows, max(1, pixels // math.prod(windows.size if windows else canvas))


def random_crops(
    rows: Rows, number: int, size: tuple[int, int], canvas: tuple[int, int], task: Task, seed: int
) -> tuple[np.ndarray, Windows]:
    """Return the row and the window of each of `number` random crops, the same for every epoch of a training.

    Args:
        rows: of the validation images; their numbers of crops differ by one at most.
        size: of a crop, (height, width).
        canvas: (height, width) of what the rows hold.
        task: says where on the canvas the images lie, see `Task.image_boxes`.
    """
    chosen = np.sort(resample_to(np.asarray(rows, np.int64), number, rng.numpy_generator(seed, "validation crops")))
    draws, boxes = rng.generator(seed, "validation crops"), task.image_boxes(chosen)
    plan = augment_geometry.draw_plan(number, canvas, Augmentation(), draws, size, boxes)
    return chosen, Windows(plan.corners, plan.window)


@torch.inference_mode()
def validate(
    forward: Callable[[Tensor], Tensor],
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    data: DeviceData,
    rows: Rows,
    batch_size: int,
    stop: Callable[[], object],
    task: Task | None = None,
    windows: Windows | None = None,
) -> tuple[float, float]:
    """Return loss and Dice overlap of whole images, or of a window of each; no Dice (nan) where none is scored.

    Each is the mean over images, and computed image by image, so that neither depends on `batch_size`. When `stop()` is
    true the validation ends at once, and its values mean nothing.

    Args:
        forward: images (B, C, H, W) in 0..1 -> logits (B, K, H, W), the network being in evaluation mode.
        loss: f(logits, target, roi) -> scalar.
        rows: images to measure; at least one.
        batch_size: images in one forward pass.
        stop: asked before every pass.
        task: of the training; None is masks.
        windows: of `random_crops`, one for each of the rows; None measures what the task does, whole images.
    """
    task = task or Task()
    losses: list[Tensor] = []
    overlaps: list[Tensor] = []
    for first in range(0, len(rows), batch_size):
        if stop():
            return float("nan"), float("nan")
        part = rows[first : first + batch_size]
        if windows:
            part_windows: Windows | None = windows._replace(corners=windows.corners[first : first + batch_size])
        else:
            part_windows = task.validation_windows(len(part))
        images, target, roi = task.validation_batch(data.fetch(part, part_windows), part)
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
