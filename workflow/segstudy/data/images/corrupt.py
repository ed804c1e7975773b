"""Corrupted copies of images, to measure what a trained network stands: noise, blur, brightness, JPEG, resolution."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from segstudy.core import rng

Floats = np.ndarray  # float32 (H, W, 3), intensities 0..1


def corrupted(image: np.ndarray, kind: str, strength: float, name: str) -> np.ndarray:
    """Return a corrupted copy of an image, uint8 (H, W, 3).

    With n of the standard normal distribution, drawn for each value:

        gaussian_noise     x + strength n
        speckle            x (1 + strength n)
        salt_and_pepper    a pixel, all its channels, is 1 or 0 with a probability of strength / 2 each
        blur               a Gaussian of standard deviation `strength` pixels, the border repeated
        brightness         strength x
        jpeg               written and read again with quality `strength` (Pillow, chroma at half the resolution)
        resolution         resized to `strength` of its sides (Lanczos) and back (bicubic)

    and cut to 0..1. The first three are those of the denoising recipes. What is drawn depends on `name` and kind alone:
    every network meets the same image, and a stronger noise is the same noise, stronger.

    Args:
        image: uint8 (H, W, 3).
        kind: a key of `config.corruptions.CLEAN`.
        strength: see above.
        name: of the image, from which the random numbers are seeded.
    """
    if kind == "jpeg":
        return _compressed(image, int(strength))
    if kind == "resolution":
        return _coarse(image, strength)
    draws = rng.numpy_generator(0, f"corruption/{kind}/{name}")
    values = KINDS[kind](image.astype(np.float32) / 255, strength, draws)
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _gaussian_noise(x: Floats, strength: float, draws: np.random.Generator) -> Floats:
    return x + np.float32(strength) * draws.standard_normal(x.shape, np.float32)


def _speckle(x: Floats, strength: float, draws: np.random.Generator) -> Floats:
    return x * (1 + np.float32(strength) * draws.standard_normal(x.shape, np.float32))


def _salt_and_pepper(x: Floats, strength: float, draws: np.random.Generator) -> Floats:
    chance = draws.random((*x.shape[:2], 1), np.float32)
    return np.where(chance < strength / 2, 0, np.where(chance > 1 - strength / 2, 1, x))


def _blur(x: Floats, strength: float, draws: np.random.Generator) -> Floats:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(x, (strength, strength, 0), mode="nearest"))


def _brightness(x: Floats, strength: float, draws: np.random.Generator) -> Floats:
    return x * np.float32(strength)


KINDS: dict[str, Callable[[Floats, float, np.random.Generator], Floats]] = {
    "gaussian_noise": _gaussian_noise,
    "speckle": _speckle,
    "salt_and_pepper": _salt_and_pepper,
    "blur": _blur,
    "brightness": _brightness,
}


def _compressed(image: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(stream).convert("RGB"))


def _coarse(image: np.ndarray, factor: float) -> np.ndarray:
    height, width = image.shape[:2]
    small = max(1, round(width * factor)), max(1, round(height * factor))
    reduced = Image.fromarray(image).resize(small, Image.Resampling.LANCZOS)
    return np.asarray(reduced.resize((width, height), Image.Resampling.BICUBIC))
