"""What sizes of images and objects ask of a network's input: the canvas, crops, how many at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LARGEST = 512  # pixels of the long side that networks see at once, where objects stay thick enough
SMALLEST = 128
THICK_ENOUGH = 4.0  # pixels on the canvas that the thinnest tenth of an object should have
MULTIPLE = 32
BATCH_PIXELS = 8 * 256 * 256  # of a batch: about 3 GB for a U-Net of width 16
FEWEST_BATCH, LARGEST_BATCH = 2, 16


class Scale(NamedTuple):
    """Choices for a data set, each as the config says it."""

    long_side: int | None  # None: native
    crop: int | None  # None: whole canvases
    batch_size: int
    thinnest: float | None  # pixels of the original image, what the choice rests on


def thinnest_tenth(mask: NDArray[np.bool_]) -> float | None:
    """Return the thickness in pixels that a tenth of an object's centre line does not reach; None without objects.

    Thickness is twice the distance to the background along the centre line, less one pixel.
    """
    from scipy.ndimage import distance_transform_edt
    from skimage.morphology import skeletonize

    line = skeletonize(mask)
    if not line.any():
        return None
    return float(np.percentile(2 * distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1][line] - 1, 10))


def choose_scale(sizes: Sequence[tuple[int, int]], thinnest: float | None) -> Scale:
    """Return canvas, crop and batch.

    Images are fitted into the smallest canvas on which the thinnest tenth of the objects stays `THICK_ENOUGH`, at most
    `LARGEST`; where that is not enough, original pixels are kept and crops are trained on.

    Args:
        sizes: (width, height) of the images.
        thinnest: the median over masks of `thinnest_tenth`, in original pixels.
    """
    long = round(float(np.median([max(size) for size in sizes])))
    largest = max(max(size) for size in sizes)
    needed = THICK_ENOUGH / thinnest if thinnest else LARGEST / long
    if needed * long > LARGEST:
        crop = min(256, _down(min(min(size) for size in sizes)))
        return Scale(None, crop, _batch(crop), thinnest)
    side = min(LARGEST, max(SMALLEST, math.ceil(needed * long / MULTIPLE) * MULTIPLE, LARGEST // 2))
    if side >= largest:
        return Scale(None, None, _batch(largest), thinnest)
    return Scale(side, None, _batch(side), thinnest)


def _batch(side: int) -> int:
    return int(min(LARGEST_BATCH, max(FEWEST_BATCH, 2 ** math.floor(math.log2(max(1, BATCH_PIXELS / side**2))))))


def _down(length: int) -> int:
    return max(MULTIPLE, length // MULTIPLE * MULTIPLE)
