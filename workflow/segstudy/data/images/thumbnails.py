"""Thumbnails by which images are compared, and their normalisation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SIDE = 64  # pixels of a thumbnail
BLANK = 1e-3  # length of a row that holds no structure worth comparing

Pictures = NDArray[np.float32]


def thumbnail(image: NDArray[np.uint8]) -> Pictures:
    """Return the grey thumbnail of an image, float32 (64, 64), in 0..255.

    The picture is squeezed into a square. Hamming weights instead of a plain box: box weights jump from pixel to pixel
    where the factor is no whole number, and a copy of half the size then gives another thumbnail.

    Args:
        image: uint8 (H, W) or (H, W, 3).
    """
    from PIL import Image

    grey = Image.fromarray(image).convert("L").convert("F")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.HAMMING), dtype=np.float32)


def locally_normalised(stack: Pictures, sigma: float) -> Pictures:
    """Return (t - local mean) / (local standard deviation + 2 % of the image's own + 1 grey level), of (N, S, S).

    Local: Gaussian of `sigma` pixels. Brightness and contrast are evened out, and strong edges that a whole data set
    shares, such as the rim of a field of view, do not outweigh what is an image's own.
    """
    difference = stack - smoothed(stack, sigma)
    deviation = np.sqrt(smoothed(difference**2, sigma))
    own = stack.std(axis=(1, 2), keepdims=True)
    return difference / (deviation + 0.02 * own + 1)


def smoothed(stack: Pictures, sigma: float) -> Pictures:
    """Return each picture of (N, S, S) blurred by a Gaussian."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(stack, (0, sigma, sigma), mode="nearest")


def unit(rows: Pictures) -> Pictures:
    """Return rows with mean 0 and length 1 (or 0 where they hold nothing); may work in place."""
    rows -= rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows *= np.where(length < BLANK, 0, 1 / np.maximum(length, BLANK))
    return rows


def positions(stack: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Yield (N, S, S) in its eight positions: four right-angle turns, each plain and mirrored."""
    for turns in range(4):
        turned = np.rot90(stack, turns, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def in_common(stack: NDArray[np.floating]) -> Pictures:
    """Return the mean (S, S) of all pictures in all eight positions.

    Averaged over the positions it can never be one picture, so that a data set of few images, or of many copies of
    one, keeps its differences when this is subtracted.
    """
    mean = stack.mean(axis=0, dtype=np.float64)[None]
    return np.mean(list(positions(mean)), axis=0)[0].astype(np.float32)
