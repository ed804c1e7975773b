"""Geometry between an original image and the canvas of its store, in both directions.

Every resize here is Pillow's, whose convention is that of pixel centres: pixel i of n covers [i, i + 1) / n of
the side. Forward and backward therefore undo each other without a shift of half a pixel, and where nothing is
resized (native size) they are plain copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from segstudy.config.datasets import Size

SizeOption = Literal["native"] | Size | Mapping[str, int | None]

# Networks halve their input a few times; a canvas of this multiple costs them no padding of their own.
MULTIPLE = 16


class Geometry(NamedTuple):
    """Where an image of `original_height` x `original_width` lies on the canvas, in pixels."""

    original_height: int
    original_width: int
    top: int
    left: int
    height: int
    width: int

    @property
    def resized(self) -> bool:
        """Whether the canvas holds the image at another size than its own."""
        return (self.height, self.width) != (self.original_height, self.original_width)

    @property
    def rectangle(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas that hold the image."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def plain_size(size: SizeOption) -> Literal["native"] | dict[str, int]:
    """Return the `size:` of a data set's config as plain values: 'native' or the keys that are set."""
    if isinstance(size, str):
        return "native"
    values = size.model_dump() if isinstance(size, Size) else size
    return {key: value for key, value in sorted(values.items()) if value is not None}


def canvas_size(sizes: Iterable[tuple[int, int]], size: SizeOption) -> tuple[int, int]:
    """Return (height, width) of the canvas for images of the given (height, width).

    `native` and `long_side`: the largest fitted image, rounded up to a multiple of 16. A box: as configured.
    """
    option = plain_size(size)
    if isinstance(option, dict) and "height" in option:
        return option["height"], option["width"]
    fitted = [_fitted(height, width, option) for height, width in set(sizes)]
    if not fitted:
        raise ValueError("no images, so no canvas")
    return _round_up(max(height for height, _ in fitted)), _round_up(max(width for _, width in fitted))


def fit(original: tuple[int, int], canvas: tuple[int, int], size: SizeOption) -> Geometry:
    """Return where an image of (height, width) `original` lies on `canvas`: aspect kept, centred.

    In `native` it keeps its own pixels; in the other modes it is resized, up or down, to the box or long side.

    Raises:
        ValueError: if it does not fit, that is, if the canvas was made for other images.
    """
    height, width = _fitted(*original, plain_size(size))
    if height > canvas[0] or width > canvas[1]:
        raise ValueError(f"an image of {height}x{width} does not fit the canvas {canvas[0]}x{canvas[1]}")
    return Geometry(*original, (canvas[0] - height) // 2, (canvas[1] - width) // 2, height, width)


def to_canvas(
    array: np.ndarray, geometry: Geometry, canvas: tuple[int, int], kind: Literal["image", "mask"]
) -> np.ndarray:
    """Return uint8 `array` (H, W) or (H, W, C) placed on the canvas.

    Images are resized with Lanczos, masks and rois with nearest neighbour (a class id has no in-between).

    The padding is zero, and the roi is zero there. Zero is also what augmentation brings in from outside, so the
    network meets one kind of outside only; repeated edges would draw vessels that do not exist, next to real ones.
    """
    if array.shape[:2] != (geometry.original_height, geometry.original_width):
        raise ValueError(f"array is {array.shape[:2]}, geometry is for {geometry[:2]}")
    array = array.astype(np.uint8, copy=False)
    placed = np.zeros((*canvas, *array.shape[2:]), np.uint8)
    method = Image.Resampling.LANCZOS if kind == "image" else Image.Resampling.NEAREST
    placed[geometry.rectangle] = _resize(array, geometry, method) if geometry.resized else array
    return placed


def to_original(probability: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return float32 `probability` (H, W), 0..1 on the canvas, at the image's own size.

    Crops the image's rectangle and resizes it bilinearly, averaging where it shrinks. Bit-exact where the canvas
    holds the image at its own size.
    """
    cropped = np.ascontiguousarray(probability[geometry.rectangle], dtype=np.float32)
    if not geometry.resized:
        return cropped
    size = (geometry.original_width, geometry.original_height)
    resized = np.asarray(Image.fromarray(cropped).resize(size, Image.Resampling.BILINEAR))
    return np.clip(resized, 0.0, 1.0)


def _fitted(height: int, width: int, option: Literal["native"] | dict[str, int]) -> tuple[int, int]:
    """Return the resized (height, width), in integer arithmetic: no platform rounds it differently."""
    if isinstance(option, str):
        return height, width
    if "long_side" in option:
        longest = max(height, width)
        return _scaled(height, option["long_side"], longest), _scaled(width, option["long_side"], longest)
    box_height, box_width = option["height"], option["width"]
    if box_height * width <= box_width * height:
        return box_height, _scaled(width, box_height, height)
    return _scaled(height, box_width, width), box_width


def _scaled(length: int, numerator: int, denominator: int) -> int:
    return max(1, (2 * length * numerator + denominator) // (2 * denominator))


def _round_up(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


def _resize(array: np.ndarray, geometry: Geometry, method: Image.Resampling) -> np.ndarray:
    if array.ndim == 3 and array.shape[2] != 3:
        channels = [_resize(array[:, :, k], geometry, method) for k in range(array.shape[2])]
        return np.stack(channels, axis=2)
    return np.asarray(Image.fromarray(array).resize((geometry.width, geometry.height), method))
