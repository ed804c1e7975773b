"""Denoising: a network learns from images without labels to remove noise (S4, section 3.4).

The input is an image with noise, the target the image itself, in 0..1 before the network's scaling; sigmoid of the
logits is the image that comes out. Noise is drawn anew in every epoch from (seed, "noise", epoch, step), for the
validation from (seed, "noise", row): the same in every epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from segstudy.config.semi_supervised import Denoising
from segstudy.core import rng
from segstudy.data import stratified_groups
from segstudy.losses.build import Loss
from segstudy.training.device_data import Batch, Rows
from segstudy.training.tasks.base import Task

KINDS = ("gaussian", "salt_and_pepper", "speckle")
Noise = tuple[str, float]  # kind, level


class RemoveNoise(Task):
    """Clean images from noisy ones."""

    scored = False  # predictions are images, not masks

    def __init__(self, options: Denoising, seed: int) -> None:
        self.options, self.seed = options, seed

    def adapt_loss(self, loss: Loss) -> Loss:
        """Return the loss over the channels of images."""
        return channel_by_channel(loss)

    def training_batch(self, batch: Batch, epoch: int, step: int) -> Batch:
        """Return noisy images (B, C, H, W), the clean ones as they are, and their rois."""
        images, _, roi = batch
        return self._noisy(images, rng.generator(self.seed, "noise", epoch, step)), images, roi

    def validation_batch(self, batch: Batch, rows: Rows) -> Batch:
        """Return the same of whole images; the noise of an image depends on its row alone, not on its batch."""
        images, _, roi = batch
        clean = images.float().div_(255)
        draws = [rng.generator(self.seed, "noise", step=int(row)) for row in rows]
        return torch.cat([self._noisy(clean[i : i + 1], draw) for i, draw in enumerate(draws)]), clean, roi

    def _noisy(self, images: Tensor, draws: torch.Generator) -> Tensor:
        return add_noise(images, draw_noise(len(images), self.options, draws), draws)


def draw_noise(images: int, options: Denoising, draws: torch.Generator) -> list[Noise]:
    """Return kind and level of the noise of each image: one of the recipe's kinds, a level uniform in its range.

    Args:
        images: how many.
        options: ranges by kind.
        draws: a CPU generator.
    """
    ranges = {kind: getattr(options, kind) for kind in KINDS if getattr(options, kind)}
    drawn = torch.rand(images, 2, generator=draws, dtype=torch.float64).tolist()
    kinds = [list(ranges)[int(u * len(ranges))] for u, _ in drawn]
    return [(k, ranges[k][0] + u * (ranges[k][1] - ranges[k][0])) for k, (_, u) in zip(kinds, drawn, strict=True)]


def middle_levels(options: Denoising) -> list[Noise]:
    """Return each kind of noise in the recipe, at the middle of its range."""
    ranges = [(kind, getattr(options, kind)) for kind in KINDS if getattr(options, kind)]
    return [(kind, (low + high) / 2) for kind, (low, high) in ranges]


def add_noise(images: Tensor, noise: Sequence[Noise], draws: torch.Generator) -> Tensor:
    """Return images (B, C, H, W) in 0..1 with noise of a level each, clamped to 0..1.

    With n of the standard normal distribution for each value: `gaussian` x + level n; `speckle` x (1 + level n);
    `salt_and_pepper` makes each pixel, all its channels, 1 or 0 with a probability of level / 2 each.

    Args:
        images: left as they are.
        noise: kind and level of each.
        draws: a CPU generator, from which one of the images' device is seeded.
    """
    generator = torch.Generator(images.device).manual_seed(int(torch.randint(2**62, (), generator=draws)))
    result = []
    for x, (kind, level) in zip(images, noise, strict=True):
        if kind == "salt_and_pepper":
            u = torch.rand(x.shape[1:], generator=generator, device=x.device)
            result.append(x.masked_fill(u < level / 2, 0.0).masked_fill(u >= 1 - level / 2, 1.0))
        else:
            n = torch.randn(x.shape, generator=generator, device=x.device)
            result.append((x + level * n if kind == "gaussian" else x * (1 + level * n)).clamp_(0, 1))
    return torch.stack(result)


def channel_by_channel(loss: Loss) -> Loss:
    """Return a loss of logits and targets (B, C, H, W): each channel counts as a mask of its own, with the same roi."""

    def image_loss(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
        channels = logits.shape[1]
        return loss(logits.flatten(0, 1)[:, None], target.flatten(0, 1), roi.repeat_interleave(channels, dim=0))

    return image_loss


def split_rows(rows: Rows, groups: Sequence[str], share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation; `share` of the images validate, as nearly as groups allow.

    Args:
        rows: of the images, of at least two groups.
        groups: of each; an image of group '' is its own.
        share: of the images that choose the best epoch.
    """
    rows = np.asarray(rows, np.int64)
    units = [f"group {group}" if group else f"image {row}" for row, group in zip(rows, groups, strict=True)]
    members = pd.factorize(pd.Series(units))[0]
    validation_units = stratified_groups.draw(
        np.bincount(members)[:, None], share, 1, rng.numpy_generator(seed, "denoising")
    )
    validates = np.isin(members, validation_units)
    return rows[~validates], rows[validates]


def eligible_images(split: pd.DataFrame, groups: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the samples that denoising may learn from, and their groups.

    Images of val and test, and images that share a group with one of them, are left out.
    """
    subset = dict(zip(split["sample"].astype(str), split["subset"], strict=True))
    held_out = {groups.get(sample, "") for sample, name in subset.items() if name in ("val", "test")} - {""}
    samples = [s for s, name in subset.items() if name in ("train", "unlabelled") and groups.get(s, "") not in held_out]
    return samples, [groups.get(sample, "") for sample in samples]
