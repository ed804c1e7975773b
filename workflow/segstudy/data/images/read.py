"""Read image files of any encoding, and report the conversion that was applied; masks: `images.read_masks`.

Pixels are taken as they are stored, unless a `Reading` says otherwise: masks are often drawn on the stored pixels,
and would no longer fit a picture that is turned as its EXIF or TIFF orientation says. Of files with several frames the
first is read. A file that cannot be read to its last pixel is an error, never a half-grey picture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segstudy.data.images.decode import FORMATS, bands, checked, opened, orientation, page, stored
from segstudy.data.images.deep import (
    OtherChannels,
    by_tifffile,
    declared_range,
    deep_pixels,
    is_deep,
    tiff_pages,
    tiff_pixels,
    tiff_size,
)
from segstudy.data.images.locate import locate
from segstudy.data.images.orientation import orientation_of, turned_upright
from segstudy.data.images.reading import AS_STORED, Reading

# Lossless formats first: where one picture is there twice, the earlier format is the truer one.
SUFFIXES = (
    *(".bmp", ".dib", ".tif", ".tiff", ".png", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".jpg", ".jpeg", ".jfif", ".jp2", ".j2k", ".webp", ".avif"),
    *((".heic", ".heif") if "HEIF" in FORMATS else ()),
)


class Picture(NamedTuple):
    """An image and how it was decoded."""

    array: NDArray[np.uint8]  # (H, W, 3)
    mode: str  # format and Pillow mode of the file, for instance "TIFF I;16"
    note: str  # what was done to it, for instance "0..65535 becomes 0..255"
    scaled: bool = False  # from more than 8 bits a channel


def files_of(path: str | Path) -> list[Path]:
    """Return the files that a mask is made of, sorted: `path` itself, or where it ends in `*` all that begin like it.

    `masks/im1/*` stands for all pictures in the folder im1, `masks/im1_*` for those in masks whose names begin with
    im1_: one file for each object of an image.
    """
    if not str(path).endswith("*"):
        return [Path(path)]
    path = locate(path).file
    start, folder = path.name[:-1], path.parent
    names = os.listdir(folder) if folder.is_dir() else []  # they may be those of all images: no path is made of each
    return sorted(
        folder / name
        for name in names
        if name.startswith(start) and name[0] != "." and os.path.splitext(name)[1].casefold() in SUFFIXES
    )


def image_size(path: str | Path, reading: Reading = AS_STORED) -> tuple[int, int]:
    """Return (width, height) in pixels from the header alone.

    Raises:
        StudyError: the file is missing, not an image, or its header is cut off.
    """
    if by_tifffile(path, reading.channels):
        width, height = tiff_size(path, reading.channels)
    else:
        with opened(path) as image:
            width, height = image.size if orientation(image) < 5 else (image.height, image.width)
    return (height, width) if _turn(path, reading) >= 5 else (width, height)


def page_count(path: str | Path) -> int:
    """Return how many pages a file has.

    Raises:
        StudyError: as `image_size`.
    """
    if by_tifffile(path):
        return tiff_pages(path)
    with opened(path) as image:
        return int(getattr(image, "n_frames", 1))


def read_image(path: str | Path, reading: Reading = AS_STORED) -> NDArray[np.uint8]:
    """Return the image as uint8 (H, W, 3); see `read_picture`."""
    return read_picture(path, reading).array


def read_picture(path: str | Path, reading: Reading = AS_STORED) -> Picture:
    """Return the image as uint8 (H, W, 3), and what was done to make it that.

    Grey, palette, 1-bit, CMYK and other colour spaces become RGB; transparency is dropped. Deeper images (16 bits,
    32 bits, floating point) are scaled from the range of `reading`, or without one from that which `range_of` gives the
    file; values outside it are cut off. Of several pages the first is read.

    Raises:
        StudyError: the file is missing or cannot be read to its last pixel, holds numbers that are not finite, or
            negative ones without a range that says how dark they are; or it has other channels than asked for.
    """
    array, kind, note = _decoded(path, reading)
    scaled = array.dtype != np.uint8
    if scaled:
        checked(array, path, negative=reading.ranged)
        low, high = (reading.low, reading.high) if reading.ranged else _own_range(array)
        array = _to_8_bits(array, low, high)
        note += "values as they are" if (low, high) == (0, 255) else f"{low:.9g}..{high:.9g} becomes 0..255"
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if (turned := _turn(path, reading)) != 1:
        array, note = np.ascontiguousarray(turned_upright(array, turned)), f"{note}; turned upright (EXIF {turned})"
    return Picture(array, kind, note, scaled)


def stored_values(path: str | Path, reading: Reading = AS_STORED) -> tuple[NDArray[Any] | None, Any]:
    """Return the values (H, W) or (H, W, 3) of an image of more than 8 bits, and the range that it declares, or None.

    Raises:
        StudyError: as `read_picture`.
    """
    declared = None
    if not by_tifffile(path, reading.channels):
        with opened(path) as image:
            if not is_deep(image):
                return None, None
            declared = declared_range(image)
    array, _, _ = _decoded(path, reading)
    return (None if array.dtype == np.uint8 else array), declared


def _decoded(path: str | Path, reading: Reading) -> tuple[NDArray[Any], str, str]:
    """Return the values of an image, (H, W) or (H, W, 3), its kind, and what was done: RGB of 8 bits, or as stored."""
    what = f"channels {', '.join(map(str, reading.channels))}; " if reading.channels else ""
    if by_tifffile(path, reading.channels):
        array, kind = tiff_pixels(path, reading.channels)
        return array, kind, what + ("as RGB" if array.dtype == np.uint8 else "")
    with opened(path) as image:
        kind, note = f"{image.format} {image.mode}", page(image, path) + what
        deep, fourth = is_deep(image), bool(reading.channels) and image.mode == "RGBA"
        if deep:
            kind += " of 16 bits" if image.mode in ("RGB", "RGBA") else ""
            array = deep_pixels(image, fourth)
        else:
            array = np.asarray(stored(image)) if fourth else _as_rgb(stored(image))
            note += "as RGB"
    return (_chosen(array, reading.channels, path) if reading.channels else array), kind, note


def _chosen(array: NDArray[Any], channels: Sequence[int], path: str | Path) -> NDArray[Any]:
    """Return the channels (from 1 on) of an image, (H, W) of one; each of a grey image (H, W) is its grey."""
    count = 3 if array.ndim == 2 else array.shape[2]
    if max(channels) > count:
        raise OtherChannels(
            f"the image has {count} channels, and channel {max(channels)} is asked for",
            where=path,
            remedy="correct 'channels' in the data set's block",
        )
    if array.ndim == 2:
        return array
    chosen = array[..., [number - 1 for number in channels]]
    return np.ascontiguousarray(chosen[..., 0] if len(channels) == 1 else chosen)


def _turn(path: str | Path, reading: Reading) -> int:
    """Return the orientation that is to be mended."""
    return orientation_of(path) if reading.upright else 1


def read_reduced(
    path: str | Path, size: tuple[int, int], reading: Reading = AS_STORED
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return a large image resized to `size` (height, width), uint8 (H, W, 3), and its own (height, width).

    For pictures that take gigabytes: what `read_picture` and a resize give, up to rounding, without an array of the
    whole picture. JPEG is decoded at a half, a quarter or an eighth of its size where that is twice `size` at least;
    of other formats Pillow holds all pixels once, 4 bytes for each of colours, 1 of grey.

    Raises:
        StudyError: as `read_picture`.
    """
    height, width = size
    own_width, own_height = image_size(path, reading)
    if reading == AS_STORED._replace(low=reading.low, high=reading.high) and not by_tifffile(path):
        with opened(path) as image:
            if not is_deep(image):
                image.draft(None, (2 * width, 2 * height))  # None keeps the colours
                pixels = stored(image)
                if pixels.mode in ("RGB", "L", "CMYK", "YCbCr"):
                    reduced = pixels.resize((width, height), Image.Resampling.LANCZOS).convert("RGB")
                    return np.array(reduced), (own_height, own_width)
                del pixels
    whole = Image.fromarray(read_picture(path, reading).array)
    return np.array(whole.resize((width, height), Image.Resampling.LANCZOS)), (own_height, own_width)


def _as_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return a decoded image as uint8 (H, W, 3)."""
    array = np.empty((image.height, image.width, 3), np.uint8)
    for rows in bands(image.height, image.width):
        array[rows] = np.asarray(image.crop((0, rows.start, image.width, rows.stop)).convert("RGB"))
    return array


def range_of(lowest: float, highest: float, fractions: bool) -> tuple[float, float]:
    """Return the range that holds values from `lowest` to `highest`: what becomes 0 and 255.

    From 0, or where there are negative values from a power of 2 below them, to the smallest of 255, 511, 1023, ... that
    holds the highest: it depends on the depth of a camera rather than on one bright pixel. Of `fractions` (floating
    point) also 1, 3, 7, ...: values up to 1 are taken as 0..1.
    """
    shallowest = 1 if fractions else 8
    bits = next(bits for bits in range(shallowest, 129) if highest <= 2**bits - 1 or bits == 128)
    low = -float(2 ** next(bits for bits in range(129) if -lowest <= 2**bits or bits == 128)) if lowest < 0 else 0.0
    return low, float(2**bits - 1)


def _own_range(array: NDArray[Any]) -> tuple[float, float]:
    return range_of(float(array.min(initial=0)), float(array.max(initial=0)), array.dtype.kind == "f")


def _to_8_bits(array: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return the array with `low`..`high` scaled to 0..255, rounded, and what lies outside cut off."""
    if array.dtype.kind == "f" or low != int(low) or high != int(high):
        factor = 255 / (high - low)
        return _converted(array, lambda band: (np.clip(band, low, high) - low) * factor + 0.5)
    start, span = int(low), int(high - low)
    return _converted(array, lambda band: ((band.astype(np.int64) - start).clip(0, span) * 255 + span // 2) // span)


def _converted(array: NDArray[Any], convert: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[np.uint8]:
    """Apply `convert` to an array (H, W, ...) in bands; return uint8."""
    result = np.empty(array.shape, np.uint8)
    for rows in bands(*array.shape[:2]):
        result[rows] = convert(array[rows]).astype(np.uint8)
    return result
