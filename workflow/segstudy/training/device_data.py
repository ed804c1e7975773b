"""The data set of a training on its device, and the augmented batches that are cut from it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch
from torch import Tensor

from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError
from segstudy.core.progress import track
from segstudy.data.concat_arrays import ConcatArray
from segstudy.training import augment_geometry

logger = logging.getLogger("segstudy")

Rows = Sequence[int] | np.ndarray
Batch = tuple[Tensor, Tensor, Tensor]  # images (B, C, H, W), masks (B, H, W), rois (B, H, W)

# Above this a memory-mapped store is left on disk: the system keeps its hot pages, and may take them back.
HOST_BUDGET = 2 * 2**30


class Windows(NamedTuple):
    """Rectangles of one size, one in each image of a batch."""

    corners: Sequence[tuple[int, int]]  # top, left
    size: tuple[int, int]  # height, width


class DeviceData:
    """The images, masks and rois of a data set where they are reached fastest.

    That is the GPU, if they take at most half of its free memory; else main memory, if they take at most 2 GiB and half
    of what is free; else they stay memory-mapped. Where they lie does not change a bit of a batch.

    Args:
        images: uint8 (N, H, W, C), in memory, memory-mapped or joined (`segstudy.data.concat_arrays`).
        masks: uint8 (N, H, W).
        rois: uint8 (N, H, W).
    """

    def __init__(self, images: np.ndarray, masks: np.ndarray, rois: np.ndarray, device: torch.device) -> None:
        self.canvas, self.device = (images.shape[1], images.shape[2]), device
        self.arrays: tuple[Any, ...] = (images, masks, rois)
        size = sum(array.nbytes for array in self.arrays)
        self.on_gpu = device.type == "cuda" and size <= torch.cuda.mem_get_info(device)[0] // 2
        if self.on_gpu:
            self.arrays = tuple(torch.from_numpy(np.array(array)).to(device) for array in self.arrays)
            logger.info("data set: %.1f MB on the GPU", size / 1e6)
            return
        mapped = isinstance(images, np.memmap | ConcatArray)
        if mapped and size <= min(HOST_BUDGET, psutil.virtual_memory().available // 2):
            self.arrays, mapped = tuple(np.array(array) for array in self.arrays), False
        logger.info("data set: %.1f MB %s", size / 1e6, "memory-mapped" if mapped else "in main memory")

    def fetch(self, rows: Rows, windows: Windows | None = None) -> Batch:
        """Return the batch of `rows`: whole images, or their windows, in uint8 and channels-last order.

        Given windows, nothing else is read: crops of large images cost what the crops take, also from a disk.
        """
        if windows and windows.size != self.canvas:
            images, masks, rois = (self._windows(array, rows, windows) for array in self.arrays)
        else:
            index: Any = np.asarray(rows, dtype=np.int64)
            if self.on_gpu:
                index = torch.from_numpy(index).to(self.device, non_blocking=True)
            images, masks, rois = (self._whole(array, index) for array in self.arrays)
        return images.permute(0, 3, 1, 2), masks, rois

    def _whole(self, array: Any, index: Any) -> Tensor:
        if self.on_gpu:
            return array.index_select(0, index)
        return torch.from_numpy(np.asarray(array[index])).to(self.device)

    def _windows(self, array: Any, rows: Rows, windows: Windows) -> Tensor:
        views = list(_views(array, rows, windows))
        return torch.stack(views) if self.on_gpu else torch.from_numpy(np.stack(views)).to(self.device)


def _views(array: Any, rows: Rows, windows: Windows) -> Iterator[Any]:
    """Yield the window of each row, as views: (h, w, ...) of an array or tensor (N, H, W, ...)."""
    height, width = windows.size
    for row, (top, left) in zip(rows, windows.corners, strict=True):
        yield array[int(row), top : top + height, left : left + width]


def augmented_batch(
    data: DeviceData, rows: Rows, recipe: Recipe, draws: torch.Generator, image_boxes: Tensor | None = None
) -> Batch:
    """Return the batch of `rows` in random crops, augmented as the recipe says: images are float32 in 0..1.

    Args:
        rows: of the images.
        recipe: its crop and augmentation.
        draws: a CPU generator.
        image_boxes: where on the canvas the images lie, see `augment_geometry.draw_plan`; None: anywhere.
    """
    plan = augment_geometry.draw_plan(len(rows), data.canvas, recipe.augmentation, draws, recipe.crop, image_boxes)
    windows = data.fetch(rows, Windows(plan.corners, plan.window))
    return augment_geometry.apply_plan(plan, *windows, recipe.augmentation, draws)


def normalisation(images: np.ndarray, rois: np.ndarray, rows: Rows) -> dict[str, list[float]]:
    """Return `mean` and `std` of each channel over the pixels of `rows` inside their rois, intensities in 0..1.

    Sums are whole numbers, so the result does not depend on their order. A channel that never changes gets the
    std of one grey level.

    Raises:
        StudyError: no pixel lies inside a roi.
    """
    channels = images.shape[3]
    total, squares, count = np.zeros(channels, np.int64), np.zeros(channels, np.int64), 0
    for row in track(np.unique(np.asarray(rows)).tolist(), "mean and spread of the intensities"):
        inside = rois[row] > 0
        count += int(np.count_nonzero(inside))
        for channel in range(channels):
            histogram = np.bincount(images[row, :, :, channel][inside], minlength=256)
            total[channel] += histogram @ np.arange(256)
            squares[channel] += histogram @ np.arange(256) ** 2
    if not count:
        raise StudyError(
            "no pixel of the training images lies inside its roi",
            where="the store's rois",
            remedy="check the data set's field-of-view files, then make the store again",
        )
    mean = total / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 1.0))
    return {"mean": (mean / 255).tolist(), "std": (spread / 255).tolist()}
