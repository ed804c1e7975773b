"""Noise, blobs and strokes from which phantoms are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, zoom

Floats = NDArray[np.float64]
OVERSAMPLING = 4  # strokes are drawn this much larger and averaged down, which smooths their edges


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Floats:
    """Return noise (H, W) of mean 0 and standard deviation 1 whose patches are about `scale` pixels wide."""
    step = max(1, int(scale / 3))
    small = rng.standard_normal((shape[0] // step + 4, shape[1] // step + 4))
    small = gaussian_filter(small, scale / step / 2, mode="wrap")
    field = zoom(small, step, order=1)[: shape[0], : shape[1]] if step > 1 else small[: shape[0], : shape[1]]
    return (field - field.mean()) / (field.std() + 1e-12)


def grid(shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Return the row and the column of every pixel, each (H, W)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return rows.astype(float), columns.astype(float)


def soft(distance: Floats, width: float) -> Floats:
    """Return 1 well inside (distance << 0), 0 well outside, over an edge about `width` pixels wide."""
    return 1 / (1 + np.exp(np.clip(distance / max(width, 0.05) * 2, -50, 50)))


def strokes(shape: tuple[int, int], lines: list[tuple[Floats, float, float]]) -> Floats:
    """Return coverage (H, W) in 0..1 of lines given as (points (n, 2) of x, y; width; strength), in pixels.

    Where strokes cross, the stronger one shows.
    """
    canvas = Image.new("L", (shape[1] * OVERSAMPLING, shape[0] * OVERSAMPLING), 0)
    pen = ImageDraw.Draw(canvas)
    for points, width, strength in sorted(lines, key=lambda line: line[2]):
        scaled = [(float(x), float(y)) for x, y in points * OVERSAMPLING]
        thick = max(1, round(width * OVERSAMPLING))
        pen.line(scaled, fill=round(255 * strength), width=thick, joint="curve")
        radius = thick / 2
        for x, y in (scaled[0], scaled[-1]):
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=round(255 * strength))
    return np.asarray(canvas.reduce(OVERSAMPLING), dtype=float) / 255


def blend(picture: Floats, colour: Floats | Sequence[float], alpha: Floats) -> Floats:
    """Lay `colour` over `picture` (H, W, 3) with opacity `alpha` (H, W)."""
    return picture + (np.asarray(colour) - picture) * alpha[..., None]


def to_picture(array: Floats) -> Image.Image:
    """Return an RGB picture of an array (H, W, 3) in 0..255."""
    return Image.fromarray(np.clip(np.rint(array), 0, 255).astype(np.uint8))
