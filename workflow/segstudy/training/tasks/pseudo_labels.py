"""Pseudo-labels: learn from labelled images and from images that a teacher has labelled (S4, section 3.3)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from segstudy.core import rng
from segstudy.data.concat_arrays import FOREGROUND
from segstudy.training.device_data import Batch, Rows, Windows
from segstudy.training.sampler import resample_to
from segstudy.training.tasks.base import Task


class Mixture(Task):
    """Masks from the rows of two joined stores (see `segstudy.data.concat_arrays`).

    Args:
        pseudo: rows that a teacher has labelled.
        soft: whether the targets are its probabilities, and not the masks at 0.5.
        real: share of the labelled images' crops in an epoch, which then has as many crops as without the others; None
            takes all crops of both.
        canvas: (height, width) of the labelled images, which are validated without the padding of the joined ones.
        total: crops of an epoch with `real`; None takes as many as the labelled images have.
        rectangles: (N, 4): top, left, height, width of the image in each of the joined rows. Crops lie inside of it
            wherever they fit: the canvases of two data sets may differ by far. None takes them anywhere.
    """

    def __init__(
        self,
        pseudo: Rows,
        soft: bool,
        real: float | None,
        canvas: tuple[int, int],
        seed: int,
        total: int | None = None,
        rectangles: np.ndarray | None = None,
    ) -> None:
        self.pseudo, self.soft, self.real = np.asarray(pseudo, np.int64), soft, real
        self.canvas, self.seed, self.total = canvas, seed, total
        self.rectangles = None if rectangles is None else torch.as_tensor(rectangles, dtype=torch.float64)

    def crops(self, rows: Rows, times: int, epoch: int) -> np.ndarray:
        """Return the rows of all crops of an epoch: all of both, or the shares of the recipe."""
        if self.real is None:
            return np.repeat(np.concatenate([np.asarray(rows, np.int64), self.pseudo]), times)
        total, draw = self.total or len(rows) * times, rng.numpy_generator(self.seed, "real", epoch)
        real = min(max(round(self.real * total), 1), total - 1)
        labelled = resample_to(np.asarray(rows, np.int64), real, draw)
        return np.concatenate([labelled, resample_to(self.pseudo, total - real, draw)])

    def image_boxes(self, rows: Rows) -> Tensor | None:
        """Return the rectangles of the images on the canvas."""
        return None if self.rectangles is None else self.rectangles[np.asarray(rows, np.int64)]

    def training_batch(self, batch: Batch, epoch: int, step: int) -> Batch:
        """Return the batch with its targets as class ids, or as probabilities."""
        images, target, roi = batch
        return images, self._target(target), roi

    def validation_windows(self, count: int) -> Windows:
        """Return the labelled images without padding."""
        return Windows([(0, 0)] * count, self.canvas)

    def validation_batch(self, batch: Batch, rows: Rows) -> Batch:
        """Return images in 0..1, targets and rois of a validation."""
        images, target, roi = super().validation_batch(batch, rows)
        return images, self._target(target), roi

    def _target(self, values: Tensor) -> Tensor:
        return values.float().div_(FOREGROUND) if self.soft else (values > FOREGROUND // 2).to(torch.uint8)
