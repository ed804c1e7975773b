"""What goes into a training: where the data set lies, which rows make a batch, and how intensities are scaled."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import psutil
import torch
from torch import Tensor

from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError
from segstudy.core.progress import track
from segstudy.data.concat_arrays import Joined
from segstudy.training import augment_geometry

logger = logging.getLogger("segstudy")


Rows = Sequence[int] | np.ndarray


Batch = tuple[Tensor, Tensor, Tensor]


# Above this a memory-mapped store is left on disk: the system keeps its hot pages, and may take them back.
HOST_BUDGET = 2 * 2**30


class Windows(NamedTuple):
    """Equal parts of images, one of each row of a batch."""

    corners: Sequence[tuple[int, int]]  # top, left
    size: tuple[int, int]  # height, width


class BatchOf(Protocol):
    """What `hold` returns."""

    def __call__(self, rows: Rows, windows: Windows | None = None) -> Batch:
        """Return the batch of `rows`: whole images, or their windows."""


def hold(images: np.ndarray, masks: np.ndarray, rois: np.ndarray, device: torch.device) -> BatchOf:
    """Put the data set where it is reached fastest; return a function: rows -> their batch on `device`.

    It goes to the GPU if it takes at most half of the free memory there; else into main memory if it takes at
    most 2 GiB and half of what is free; else it stays memory-mapped. Where it lies does not change a bit.

    Args:
        images: uint8 (N, H, W, C), in memory or memory-mapped; or several such seen as one
        (`segstudy.data.concat_arrays`). masks: uint8 (N, H, W).
        rois: uint8 (N, H, W).
        device: where batches are wanted.

    A batch is uint8 images (B, C, H, W) in channels-last order, masks (B, H, W) and rois (B, H, W). Given windows,
    nothing else is touched of the images: crops of large ones cost what the crops take, also from a disk.
    """
    canvas = images.shape[1:3]
    size = images.nbytes + masks.nbytes + rois.nbytes
    if device.type == "cuda" and size <= torch.cuda.mem_get_info(device)[0] // 2:
        logger.info("data set: %.1f MB on the GPU", size / 1e6)
        held = [torch.from_numpy(np.array(array)).to(device) for array in (images, masks, rois)]

        def on_gpu(rows: Rows, windows: Windows | None = None) -> Batch:
            if windows and windows.size != canvas:
                x, y, r = (torch.stack(list(_parts(array, rows, windows))) for array in held)
            else:
                index = torch.as_tensor(np.asarray(rows, dtype=np.int64)).to(device, non_blocking=True)
                x, y, r = (array.index_select(0, index) for array in held)
            return x.permute(0, 3, 1, 2), y, r

        return on_gpu

    mapped = isinstance(images, np.memmap | Joined)
    if mapped and size <= min(HOST_BUDGET, psutil.virtual_memory().available // 2):
        images, masks, rois, mapped = np.array(images), np.array(masks), np.array(rois), False
    logger.info("data set: %.1f MB %s", size / 1e6, "memory-mapped" if mapped else "in main memory")

    def on_host(rows: Rows, windows: Windows | None = None) -> Batch:
        def taken(array: np.ndarray) -> Tensor:
            if windows and windows.size != canvas:
                return torch.from_numpy(np.stack(list(_parts(array, rows, windows)))).to(device)
            return torch.from_numpy(np.asarray(array[np.asarray(rows, dtype=np.int64)])).to(device)

        x, y, r = map(taken, (images, masks, rois))
        return x.permute(0, 3, 1, 2), y, r

    return on_host


def _parts(array: Any, rows: Rows, windows: Windows) -> Iterator[Any]:
    """Yield the window of each row, as views: (h, w, ...) of an array or tensor (N, H, W, ...)."""
    height, width = windows.size
    for row, (top, left) in zip(rows, windows.corners, strict=True):
        yield array[int(row), top : top + height, left : left + width]


def drawn(
    batch_of: BatchOf,
    rows: Rows,
    canvas: tuple[int, int],
    recipe: Recipe,
    draws: torch.Generator,
    places: Tensor | None = None,
) -> Batch:
    """Return the batch of `rows` in random crops, changed as the recipe says: images are float32 in 0..1.

    Args:
        batch_of: of `hold`.
        rows: of the images.
        canvas: height and width of them all.
        recipe: its crop and augmentation.
        draws: a CPU generator.
        places: where on the canvas the images lie, see `augment.draw`; None: anywhere.
    """
    plan = augment_geometry.draw(len(rows), canvas, recipe.augmentation, draws, recipe.crop, places)
    windows = batch_of(rows, Windows(plan.corners, plan.window))
    return augment_geometry.carry_out(plan, *windows, recipe.augmentation, draws)


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
