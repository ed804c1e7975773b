"""Find the same picture on two sides of a split: re-encoded, resized, brightened, turned or mirrored copies.

How well this separates copies from merely similar images was measured on five data sets; the figures stand in
docs/splits-and-checks.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segstudy.progress import track

SIDE = 64  # pixels of a thumbnail
SIGMA = 2.0  # pixels of a thumbnail: scale of the local mean and contrast
THRESHOLD = 0.8  # distinct real images stayed below 0.60, copies above 0.91
BLANK = 1e-3  # length of a feature that holds no structure worth comparing
BLOCK = 256  # thumbnails compared at once, in each of the eight positions
WIDE = 2048  # thumbnails they are compared with at once: bounds the memory

Features = NDArray[np.float32]


class Pair(NamedTuple):
    """Two rows that show the same picture, and how alike they are (correlation, 1 = identical)."""

    first: int
    second: int
    score: float


def thumbnail(image: NDArray[np.uint8]) -> Features:
    """Return the grey thumbnail of an image, float32 (64, 64), in 0..255.

    The picture is squeezed into a square. Hamming weights instead of a plain box: box weights jump from pixel to pixel
    where the factor is no whole number, and a copy of half the size then gives another thumbnail.

    Args:
        image: uint8 (H, W) or (H, W, 3).
    """
    from PIL import Image

    grey = Image.fromarray(image).convert("L").convert("F")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.HAMMING), dtype=np.float32)


def near_duplicates(
    thumbnails: NDArray[np.floating], subsets: Sequence[str], threshold: float = THRESHOLD
) -> list[Pair]:
    """Return the pairs of rows in different subsets that show the same picture, best first.

    The score of a pair is the largest correlation of their `features` over the eight flips and right-angle turns.
    Rows without a subset (empty text) are left out, and so are pairs of train and unlabelled: neither is measured.

    Args:
        thumbnails: (N, 64, 64), one `thumbnail` per row.
        subsets: N names of subsets.
        threshold: pairs with a lower score are not returned.

    Raises:
        ValueError: the shapes do not fit.
    """
    if thumbnails.shape != (len(subsets), SIDE, SIDE):
        raise ValueError(f"thumbnails are {thumbnails.shape}, expected {(len(subsets), SIDE, SIDE)}")
    names = np.asarray(subsets, dtype=object)
    values = features(thumbnails)
    # The smaller side is the one that is turned.
    sides = [sorted(pair, key=lambda name: int(np.sum(names == name))) for pair in compared(subsets)]
    work = [
        (few[start : start + BLOCK], np.flatnonzero(names == large))
        for small, large in sides
        for few in [np.flatnonzero(names == small)]
        for start in range(0, len(few), BLOCK)
    ]
    pairs = [pair for few, many in track(work, "near duplicates") for pair in _matches(values, few, many, threshold)]
    return sorted(pairs, key=lambda pair: (-pair.score, pair.first, pair.second))


def compared(subsets: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of subsets between which a copy would be a leak."""
    present = sorted({name for name in subsets if name})
    return [pair for pair in combinations(present, 2) if pair != ("train", "unlabelled")]


def pairs_compared(subsets: Sequence[str]) -> int:
    """Return how many pairs of rows `near_duplicates` looks at."""
    return sum(list(subsets).count(a) * list(subsets).count(b) for a, b in compared(subsets))


def features(thumbnails: NDArray[np.floating]) -> Features:
    """Return what is compared: float32 (N, 4096), each row of mean 0 and length 1, or all 0 for a blank image.

    x = (t - local mean) / (local standard deviation + 2 % of the image's own + 1 grey level)
    (local: Gaussian, sigma 2) evens out brightness and contrast, and keeps strong edges that a whole data set shares,
    such as the rim of a field of view, from outweighing what is an image's own. From each row the mean of all rows
    in all eight positions is then subtracted: it is what the images have in common. Averaged over the positions it
    can never be one image, so that a data set of few images, or of many copies of one, keeps its differences.
    """
    result = np.empty((len(thumbnails), SIDE * SIDE), dtype=np.float32)
    for start in range(0, len(thumbnails), WIDE):
        block = np.asarray(thumbnails[start : start + WIDE], dtype=np.float32)
        result[start : start + WIDE] = _unit(_locally_normalised(block).reshape(len(block), -1))
    blank = ~result.any(axis=1)
    if len(result):
        mean = result.mean(axis=0, dtype=np.float64).reshape(1, SIDE, SIDE)
        result -= np.mean(list(_positions(mean)), axis=0).reshape(1, -1).astype(np.float32)
    result = _unit(result)
    result[blank] = 0
    return result


def _locally_normalised(block: Features) -> Features:
    from scipy.ndimage import gaussian_filter

    def smooth(values: Features) -> Features:
        return gaussian_filter(values, (0, SIGMA, SIGMA), mode="nearest")

    difference = block - smooth(block)
    deviation = np.sqrt(smooth(difference**2))
    own = block.std(axis=(1, 2), keepdims=True)
    return difference / (deviation + 0.02 * own + 1)


def _unit(rows: Features) -> Features:
    """Return rows with mean 0 and length 1 (or 0 where they hold nothing); may work in place."""
    rows -= rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows *= np.where(length < BLANK, 0, 1 / np.maximum(length, BLANK))
    return rows


def _positions(stack: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Yield (N, S, S) in its eight positions: four right-angle turns, each plain and mirrored."""
    for turns in range(4):
        turned = np.rot90(stack, turns, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def _matches(values: Features, few: NDArray[np.intp], many: NDArray[np.intp], threshold: float) -> Iterator[Pair]:
    """Yield pairs of a row in `few` and a row in `many`, the lower row first."""
    turned = np.concatenate(
        [position.reshape(len(few), -1) for position in _positions(values[few].reshape(-1, SIDE, SIDE))]
    )
    for start in range(0, len(many), WIDE):
        block = many[start : start + WIDE]
        scores = (turned @ values[block].T).reshape(8, len(few), len(block)).max(axis=0)
        for i, j in np.argwhere(scores >= threshold):
            first, second = sorted((int(few[i]), int(block[j])))
            yield Pair(first, second, round(min(float(scores[i, j]), 1.0), 3))
