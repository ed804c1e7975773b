"""Augmentation of intensities of whole batches: brightness, contrast, saturation, gamma, blur, noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch.nn import functional

from segstudy.config.recipes import Augmentation

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, the weights of Pillow's "L"


class Colours(NamedTuple):
    """The changes of a batch of B images, drawn but not yet applied; noise is drawn when it is added."""

    brightness: torch.Tensor  # (B,), as the next two: factors
    contrast: torch.Tensor
    saturation: torch.Tensor
    gamma: torch.Tensor | None  # (B,): exponents; None: no change
    blurred: list[int]  # samples to blur


def draw_colours(u: Mapping[str, torch.Tensor], options: Augmentation, generator: torch.Generator) -> Colours:
    """Return the changes that uniform numbers (B,) give: `brightness`, `contrast`, `saturation` and `blur` of `u`.

    The exponents are drawn from the generator, and only where they are asked for: studies older than the key keep
    their bits.
    """
    ranges = {name: getattr(options, name) for name in ("brightness", "contrast", "saturation")}
    factors = {name: (low + (high - low) * u[name]).float() for name, (low, high) in ranges.items()}
    gamma = None
    if options.gamma != (1, 1):
        low, high = options.gamma
        gamma = (low + (high - low) * torch.rand(len(u["blur"]), generator=generator, dtype=torch.float64)).float()
    return Colours(**factors, gamma=gamma, blurred=torch.nonzero(u["blur"] < options.blur).flatten().tolist())


def recolour(images: torch.Tensor, colours: Colours, options: Augmentation, generator: torch.Generator) -> None:
    """Change brightness, contrast, saturation and gamma of (B, C, h, w), blur, add noise, clamp to 0..1; all in place.

    x b, then c (x - mean) + mean, then s (x - luma) + luma: all linear in x, hence one multiplication and one addition,
    in one pass over the memory that large batches wait for. Then x ^ gamma, of x clamped to 0..1.
    """
    if not changes_intensities(options):
        return
    factors = colours.brightness, colours.contrast, colours.saturation
    b, c, s = (factor.to(images.device)[:, None, None, None] for factor in factors)
    added = (1 - c) * b * images.mean(dim=(1, 2, 3), keepdim=True)
    if images.shape[1] == 3 and options.saturation != (1, 1):
        red, green, blue = images.unbind(1)
        luma = (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])[:, None]
        images.mul_(c * b * s).add_(luma.mul_(c * b * (1 - s)).add_(added))
    elif options.brightness != (1, 1) or options.contrast != (1, 1):
        images.mul_(c * b).add_(added)
    if colours.gamma is not None:
        images.clamp_(0, 1).pow_(colours.gamma.to(images.device)[:, None, None, None])
    for i in colours.blurred:
        images[i] = _blur(images[i])
    if options.noise:
        noise = torch.randn(images.shape, generator=generator)
        images.add_(noise.to(images.device), alpha=options.noise)
    images.clamp_(0, 1)


def changes_intensities(options: Augmentation) -> bool:
    """Return whether an augmentation changes intensities."""
    factors = (options.brightness, options.contrast, options.saturation, options.gamma)
    return bool(options.blur or options.noise or any(factor != (1, 1) for factor in factors))


def _blur(image: torch.Tensor) -> torch.Tensor:
    """Return (C, h, w) blurred by the 3x3 Gaussian [1, 2, 1] / 4 in both directions, edges repeated."""
    padded = functional.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    rows = (padded[:, 1:-1] * 2).add_(padded[:, :-2]).add_(padded[:, 2:])
    return (rows[..., 1:-1] * 2).add_(rows[..., :-2]).add_(rows[..., 2:]).div_(16)
