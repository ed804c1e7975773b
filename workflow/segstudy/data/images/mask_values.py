"""Reduce a mask file to one number per pixel: from values, palette, colours or transparency."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segstudy.data.images.decode import bands


def levels(image: Image.Image, void: NDArray[np.bool_] | None = None) -> tuple[NDArray[Any], str, int]:
    """Return one number per pixel (H, W), its source in words, and the number of distinct stored values.

    Pixels where `void` is True have no say in how a palette is read; their numbers mean nothing.
    """
    mode = image.mode
    if mode == "1":
        array = np.asarray(image).astype(np.uint8)
        return array, "", _distinct(array)
    if mode == "P":
        return _palette_levels(image, void)
    if mode in ("L", "I", "F") or mode.startswith("I;16"):
        array = np.asarray(image)
        return array, "", _distinct(array)
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return _alpha_levels(np.asarray(image if mode == "RGBA" else image.convert("RGBA")))
    array = np.asarray(image if mode == "RGB" else image.convert("RGB"))
    return array.max(axis=2), _channel_source(array), _distinct_colours(array)


def _palette_levels(image: Image.Image, void: NDArray[np.bool_] | None) -> tuple[NDArray[Any], str, int]:
    indices = np.asarray(image)
    used = np.flatnonzero(image.histogram()[:256]) if void is None else np.unique(indices[~void])
    colours = np.zeros((256, 3), np.uint8)
    stored = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)[:256]
    colours[: len(stored)] = stored
    brightest = colours.max(axis=1)
    if len(used) > 1 and len(set(brightest[used] > 127)) == 1:
        return (indices > 0).astype(np.uint8), "palette index above 0: ", len(used)
    return brightest[indices], "palette colours: ", len(used)


def _alpha_levels(array: NDArray[np.uint8]) -> tuple[NDArray[Any], str, int]:
    colour, alpha = array[..., :3], array[..., 3]
    values = _distinct_colours(array)
    if alpha.min() == alpha.max():  # also where a writer left an unused alpha at 0 all over
        return colour.max(axis=2), _channel_source(colour), values
    if (colour == colour[:1, :1]).all():
        return alpha, "alpha channel: ", values
    darkened = colour.max(axis=2).astype(np.uint16) * alpha // 255
    return darkened.astype(np.uint8), "colour over black: ", values


def _channel_source(array: NDArray[np.uint8]) -> str:
    return "" if _grey(array) else "brightest channel: "


def _grey(array: NDArray[np.uint8]) -> bool:
    return all((array[rows, :, :1] == array[rows]).all() for rows in bands(*array.shape[:2]))


def _distinct(array: NDArray[Any]) -> int:
    if array.dtype == np.uint8:
        return int(np.count_nonzero(Image.fromarray(array).histogram()))  # counts without the copies of a sort
    return len(np.unique(array))


def _distinct_colours(array: NDArray[np.uint8]) -> int:
    if _grey(array):
        return _distinct(np.ascontiguousarray(array[..., 0]))
    colours = np.zeros(0, np.uint32)
    for rows in bands(*array.shape[:2]):
        band = array[rows]
        packed = np.zeros(band.shape[:2], np.uint32)
        for channel in range(array.shape[2]):
            packed = (packed << np.uint32(8)) | band[..., channel]
        colours = np.union1d(colours, packed)
    return len(colours)
