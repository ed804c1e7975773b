"""Mean teacher: an EMA of the weights gives consistency targets for unlabelled images.

A. Tarvainen, H. Valpola, "Mean teachers are better role models: weight-averaged consistency targets improve
semi-supervised deep learning results", NeurIPS 2017.

The weights are averaged. The statistics of batch normalisation are not: what layers see under averaged weights is no
average of what they saw under each, so the mean network has its own, as in the authors' program. On unlabelled images
it normalises by the batch, as the student does: the two then differ by their weights alone. Its running statistics come
from the labelled batches, the kind of images that it predicts later. The mean network is validated and published.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segstudy.config.recipes import Recipe
from segstudy.config.semi_supervised import Consistency
from segstudy.core import rng
from segstudy.data.concat_arrays import Arrays
from segstudy.losses.build import Loss
from segstudy.models.probabilities import probabilities
from segstudy.training import augment_geometry
from segstudy.training.device_data import Batch, DeviceData, Windows
from segstudy.training.step import Forward
from segstudy.training.tasks.base import Task


class MeanTeacher(Task):
    """Masks from labelled images, and consistency with the mean network on unlabelled images.

    Args:
        arrays: images, masks (not used) and rois of the store that holds the unlabelled images.
        rows: of the unlabelled images.
        recipe: its `consistency`, crop, augmentation and batch size.
    """

    def __init__(self, arrays: Arrays, rows: np.ndarray, recipe: Recipe, seed: int) -> None:
        assert recipe.consistency is not None
        self.options: Consistency = recipe.consistency
        self.arrays, self.rows, self.recipe, self.seed = arrays, np.asarray(rows, np.int64), recipe, seed
        self.batch_size = self.options.batch_size or recipe.batch_size
        self.canvas = (arrays[0].shape[1], arrays[0].shape[2])

    def begin(
        self,
        model: nn.Module,
        make_forward: Callable[[nn.Module], Forward],
        device: torch.device,
        steps: int,
        ema: float | None = None,
    ) -> None:
        """Start the mean network at the first weights."""
        self.mean = copy.deepcopy(model).eval().requires_grad_(False)
        self.predict, self.steps = make_forward(self.mean), steps
        self.data = DeviceData(*self.arrays, device)

    def training_batch(self, batch: Batch, epoch: int, step: int) -> Batch:
        """Return the labelled batch as it is; the mean network takes its statistics from the images too."""
        self.labelled = batch[0].clone()  # the forward pass changes its images in place
        return batch

    def extra_losses(self, epoch: int, step: int) -> Sequence[tuple[Loss, Batch]]:
        """Return the consistency loss and its batch: two views of the same images, and their valid pixels.

        The geometry of both views is the same, so that their pixels correspond; intensities are drawn for each.
        """
        rows = self._rows(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        options, draws = self.recipe.augmentation, rng.generator(self.seed, "unlabelled", epoch, step)
        plan = augment_geometry.draw_plan(len(rows), self.canvas, options, draws, self.recipe.crop)
        windows = self.data.fetch(rows, Windows(plan.corners, plan.window))
        student_view, _, roi = augment_geometry.apply_plan(plan, *windows, options, draws)
        draws = rng.generator(self.seed, "mean teacher", epoch, step)
        other = augment_geometry.draw_plan(len(rows), self.canvas, options, draws, self.recipe.crop)
        plan = other._replace(
            **{name: getattr(plan, name) for name in ("size", "window", "corners", "flips", "transposed", "affine")}
        )
        teacher_view, _, _ = augment_geometry.apply_plan(plan, *windows, options, draws)
        weight = self.weight(epoch, step)
        return [
            (
                lambda logits, target, roi: weight * self.difference(logits, target, roi),
                (student_view, teacher_view, roi),
            )
        ]

    def weight(self, epoch: int, step: int) -> float:
        """Return the weight of the consistency loss: full weight * exp(-5 (1 - t)^2) at share t of the ramp."""
        done = epoch - 1 + step / self.steps
        t = min(1.0, done / self.options.ramp_up) if self.options.ramp_up else 1.0
        return self.options.weight * math.exp(-5 * (1 - t) ** 2)

    def difference(self, logits: Tensor, view: Tensor, roi: Tensor) -> Tensor:
        """Return the mean squared difference of the probabilities (of all classes) inside the roi (B, H, W).

        Args:
            logits: (B, K, H, W), of the student.
            view: the same images as the mean network sees them, (B, C, H, W) in 0..1.
            roi: 1 where pixels count.
        """
        with torch.no_grad(), _batch_statistics(self.mean):
            expected = probabilities(self.predict(view.clone()).float())  # the forward pass changes its images in place
        counts = (roi > 0).to(expected.dtype)
        squares = (probabilities(logits.float()) - expected).square().mean(1)
        return (squares * counts).sum() / counts.sum().clamp(min=1)

    @torch.no_grad()
    def after_step(self, model: nn.Module, steps_done: int) -> None:
        """Move the mean towards the new weights; over the first steps it is the plain mean of all so far.

        Batch normalisations that learn then take their statistics from the labelled batch. Frozen ones, and all other
        buffers, are copied from `model`.
        """
        keep = min(self.options.decay, 1 - 1 / (steps_done + 1))
        for mean, new in zip(self.mean.parameters(), model.parameters(), strict=True):
            mean.lerp_(new, 1 - keep)
        learning_norms: list[nn.Module] = []
        pairs = zip(self.mean.modules(), model.modules(), strict=True)
        for mean_part, part in pairs:
            if isinstance(part, _BatchNorm) and part.training:
                learning_norms.append(mean_part)
                continue
            for buffer, source in zip(mean_part.buffers(recurse=False), part.buffers(recurse=False), strict=True):
                buffer.copy_(source)
        if learning_norms:
            for norm in learning_norms:
                norm.train()
            self.predict(self.labelled)
            self.mean.eval()

    def eval_model(self, model: nn.Module) -> nn.Module:
        """Return the mean network."""
        return self.mean

    def state(self) -> dict[str, Tensor]:
        """Return the weights and statistics of the mean network."""
        return dict(self.mean.state_dict())

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.mean.load_state_dict(state)

    def _rows(self, epoch: int) -> np.ndarray:
        """Return the rows of all steps of an epoch: every image in random order, then all again in another order."""
        draw, total = rng.numpy_generator(self.seed, "unlabelled", epoch), self.steps * self.batch_size
        return np.concatenate([draw.permutation(self.rows) for _ in range(-(-total // len(self.rows)))])[:total]


@contextmanager
def _batch_statistics(model: nn.Module) -> Iterator[None]:
    """Let batch normalisations use the statistics of the batch, without a change of their running ones."""
    norms = [part for part in model.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
        norm.train()
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
            norm.eval()
