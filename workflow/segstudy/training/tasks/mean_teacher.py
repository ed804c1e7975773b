"""Mean teacher: a running mean of the network's weights says what images without labels show, and the network follows.

A. Tarvainen, H. Valpola, "Mean teachers are better role models: weight-averaged consistency targets improve
semi-supervised deep learning results", NeurIPS 2017.

Averaged are the weights. Statistics of batch normalisation are the mean network's own, as in the authors' program,
where both networks are in training mode: what layers see under averaged weights is no average of what they saw under
each. On images without labels it uses those of the batch, as the network that follows it does: the two then differ by
what they learned, and not by how they normalise. Its running statistics, which predict later, come from the labelled
batches alone, the images that it is measured on. It is what is validated and published.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segstudy.config.recipes import Augmentation, Recipe
from segstudy.config.semi_supervised import Consistency
from segstudy.core import rng
from segstudy.data.concat_arrays import Arrays
from segstudy.training import augment_geometry
from segstudy.training.device_data import Batch, Windows, hold
from segstudy.training.step import Through
from segstudy.training.tasks.base import Loss, Task


class MeanTeacher(Task):
    """Masks from labelled images, and on images without labels what the running mean says of them.

    Args:
        arrays: images, masks (not looked at) and rois that the images without labels are among.
        rows: these images.
        recipe: its `consistency`, crop, augmentation and batch size.
        seed: of the training.
    """

    def __init__(self, arrays: Arrays, rows: np.ndarray, recipe: Recipe, seed: int) -> None:
        assert recipe.consistency is not None
        self.options: Consistency = recipe.consistency
        self.arrays, self.rows, self.recipe, self.seed = arrays, np.asarray(rows, np.int64), recipe, seed
        self.together = self.options.batch_size or recipe.batch_size
        self.canvas = (arrays[0].shape[1], arrays[0].shape[2])

    def begin(self, network: nn.Module, through: Through, device: torch.device, steps: int) -> None:
        """Begin the running mean at the first weights."""
        self.mean = copy.deepcopy(network).eval().requires_grad_(False)
        self.predict, self.steps = through(self.mean), steps
        self.batch_of = hold(*self.arrays, device)

    def prepared(self, batch: Batch, epoch: int, step: int) -> Batch:
        """Return the labelled batch as it is; the mean network will see its images too."""
        self.labelled = batch[0].clone()  # the pass changes its images in place
        return batch

    def beside(self, epoch: int, step: int) -> Sequence[tuple[Loss, Batch]]:
        """Return the consistency loss and its batch: two views of the same images, and where they count.

        Both views are cut, turned and mirrored alike, so that their pixels show the same; what changes intensities is
        drawn for each.
        """
        rows = self._rows(epoch)[step * self.together : (step + 1) * self.together]
        options, draws = self.recipe.augmentation, rng.generator(self.seed, "unlabelled", epoch, step)
        plan = augment_geometry.draw(len(rows), self.canvas, options, draws, self.recipe.crop)
        windows = self.batch_of(rows, Windows(plan.corners, plan.window))
        seen, _, roi = augment_geometry.carry_out(plan, *windows, options, draws)
        draws = rng.generator(self.seed, "mean teacher", epoch, step)
        other = augment_geometry.draw(len(rows), self.canvas, options, draws, self.recipe.crop)
        plan = other._replace(
            **{name: getattr(plan, name) for name in ("size", "window", "corners", "flips", "affine")}
        )
        view, _, _ = augment_geometry.carry_out(plan, *windows, options, draws)
        weight = self.weight(epoch, step)
        return [(lambda logits, target, roi: weight * self.difference(logits, target, roi), (seen, view, roi))]

    def weight(self, epoch: int, step: int) -> float:
        """Return the weight of the consistency loss, exp(-5 (1 - t)^2) of the whole: t of the ramp is done."""
        done = epoch - 1 + step / self.steps
        t = min(1.0, done / self.options.ramp_up) if self.options.ramp_up else 1.0
        return self.options.weight * math.exp(-5 * (1 - t) ** 2)

    def difference(self, logits: Tensor, view: Tensor, roi: Tensor) -> Tensor:
        """Return the mean squared difference of the probabilities (of all classes) inside the roi (B, H, W).

        Args:
            logits: (B, K, H, W), of the network that learns.
            view: the same images as the mean network sees them, (B, C, H, W) in 0..1.
            roi: 1 where pixels count.
        """
        with torch.no_grad(), _of_the_batch(self.mean):
            expected = probabilities(self.predict(view.clone()))  # the pass changes its images in place
        counts = (roi > 0).to(expected.dtype)
        squares = (probabilities(logits) - expected).square().mean(1)
        return (squares * counts).sum() / counts.sum().clamp(min=1)

    @torch.no_grad()
    def after_step(self, network: nn.Module, done: int) -> None:
        """Move the mean towards the new weights; over the first steps it is the plain mean of all so far.

        Batch normalisations that learn in `network` then take their statistics from the labelled batch; others (frozen
        ones) have those of `network`, as all that is no weight has.
        """
        keep = min(self.options.decay, 1 - 1 / (done + 1))
        for mean, new in zip(self.mean.parameters(), network.parameters(), strict=True):
            mean.lerp_(new, 1 - keep)
        own, pairs = [], zip(self.mean.modules(), network.modules(), strict=True)
        for mean_part, part in pairs:
            if isinstance(part, _BatchNorm) and part.training:
                own.append(mean_part)
                continue
            for kept, found in zip(mean_part.buffers(recurse=False), part.buffers(recurse=False), strict=True):
                kept.copy_(found)
        if own:
            for norm in own:
                norm.train()
            self.predict(self.labelled)
            self.mean.eval()

    def shown(self, network: nn.Module) -> nn.Module:
        """Return the running mean."""
        return self.mean

    def state(self) -> dict[str, Tensor]:
        """Return the running mean's weights and statistics."""
        return dict(self.mean.state_dict())

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.mean.load_state_dict(state)

    def _rows(self, epoch: int) -> np.ndarray:
        """Return the images of all steps of an epoch, in random order; once all were seen, in another one."""
        draw, wanted = rng.numpy_generator(self.seed, "unlabelled", epoch), self.steps * self.together
        return np.concatenate([draw.permutation(self.rows) for _ in range(-(-wanted // len(self.rows)))])[:wanted]


@contextmanager
def _of_the_batch(network: nn.Module) -> Iterator[None]:
    """Let batch normalisations use the statistics of the batch, and leave their running ones as they are."""
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
        norm.train()
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
            norm.eval()


def probabilities(logits: Tensor) -> Tensor:
    """Return the probabilities (B, K, H, W) of logits, in float32: one channel through a sigmoid, several a softmax."""
    logits = logits.float()
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)


def varied(options: Augmentation) -> bool:
    """Return whether an augmentation changes intensities, so that two views of an image differ."""
    factors = (options.brightness, options.contrast, options.saturation)
    return bool(options.blur or options.noise or any(factor != (1, 1) for factor in factors))
