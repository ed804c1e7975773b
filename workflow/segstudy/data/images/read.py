"""Read image files of any encoding, and report the conversion that was applied; masks: `images.read_masks`.

Pixels are taken as they are stored: neither EXIF nor TIFF orientation is applied, because masks are drawn on the
stored pixels and would no longer fit. Of files with several frames the first is read. A file that cannot be
read to its last pixel is an error, never a half-grey picture.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.images.decode import FORMATS, bands, checked, opened, orientation, page, stored
from segstudy.data.images.locate import locate

# Lossless formats first: where one picture is there twice, the earlier format is the truer one.
SUFFIXES = (
    *(".bmp", ".dib", ".tif", ".tiff", ".png", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".jpg", ".jpeg", ".jfif", ".jp2", ".j2k", ".webp", ".avif"),
    *((".heic", ".heif") if "HEIF" in FORMATS else ()),
)

# Formats that change values: a 0/1 mask does not survive them, so small values are noise around black.
LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF", "HEIF")


class Picture(NamedTuple):
    """An image and how it was decoded."""

    array: NDArray[np.uint8]  # (H, W, 3)
    mode: str  # format and Pillow mode of the file, for instance "TIFF I;16"
    note: str  # what was done to it, for instance "0..65535 becomes 0..255"


def files_of(path: str | Path) -> list[Path]:
    """Return the files that a mask is made of, sorted: `path` itself, or where it ends in `*` all that begin like it.

    `masks/im1/*` stands for all pictures in the folder im1, `masks/im1_*` for those in masks whose names begin with
    im1_: one file for each object of an image.
    """
    if not str(path).endswith("*"):
        return [Path(path)]
    path = locate(path).file
    start = path.name[:-1]
    siblings = path.parent.iterdir() if path.parent.is_dir() else iter(())
    named = [p for p in siblings if p.name.startswith(start) and p.name[0] != "." and p.suffix.casefold() in SUFFIXES]
    return sorted(named)


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) in pixels from the header alone.

    Raises:
        StudyError: the file is missing, not an image, or its header is cut off.
    """
    with opened(path) as image:
        turned = orientation(image) in (5, 6, 7, 8)
        return (image.height, image.width) if turned else (image.width, image.height)


def page_count(path: str | Path) -> int:
    """Return how many pages a file has.

    Raises:
        StudyError: as `image_size`.
    """
    with opened(path) as image:
        return int(getattr(image, "n_frames", 1))


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Return the image as uint8 (H, W, 3); see `read_picture`."""
    return read_picture(path).array


def read_picture(path: str | Path) -> Picture:
    """Return the image as uint8 (H, W, 3), and what was done to make it that.

    Grey, palette, 1-bit, CMYK and other colour spaces become RGB; transparency is dropped. Deeper images are scaled
    by a constant, never clipped: the smallest of 8, 12 and 16 bits that holds their largest value becomes 0..255;
    floating-point images up to 1 are taken as 0..1. Of several pages the first is read.

    Raises:
        StudyError: the file is missing or cannot be read to its last pixel, or holds negative values.
    """
    with opened(path) as image:
        kind, note = f"{image.format} {image.mode}", page(image, path)
        pixels = stored(image)
        if not is_deep(pixels):
            return Picture(_as_rgb(pixels), kind, note + "as RGB")
        array = np.asarray(pixels)
    grey, top = _to_8_bits(checked(array, path), path)
    del array, pixels
    note += f"0..{top} becomes 0..255" if top != 255 else "values as they are"
    return Picture(np.repeat(grey[..., None], 3, axis=2), kind, note)


def read_reduced(path: str | Path, size: tuple[int, int]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return a large image resized to `size` (height, width), uint8 (H, W, 3), and its own (height, width).

    For pictures that take gigabytes: what `read_picture` and a resize give, up to rounding, without an array of the
    whole picture. JPEG is decoded at a half, a quarter or an eighth of its size where that is twice `size` at least;
    of other formats Pillow holds all pixels once, 4 bytes for each of colours, 1 of grey.

    Raises:
        StudyError: as `read_picture`.
    """
    height, width = size
    own_width, own_height = image_size(path)
    with opened(path) as image:
        image.draft(None, (2 * width, 2 * height))  # None keeps the colours
        pixels = stored(image)
        if pixels.mode in ("RGB", "L", "CMYK", "YCbCr"):
            reduced = pixels.resize((width, height), Image.Resampling.LANCZOS).convert("RGB")
            return np.array(reduced), (own_height, own_width)
        del pixels
    whole = Image.fromarray(read_picture(path).array)
    return np.array(whole.resize((width, height), Image.Resampling.LANCZOS)), (own_height, own_width)


def is_deep(image: Image.Image) -> bool:
    """Return whether an image has more than 8 bits a channel."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _as_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return a decoded image as uint8 (H, W, 3)."""
    array = np.empty((image.height, image.width, 3), np.uint8)
    for rows in bands(image.height, image.width):
        array[rows] = np.asarray(image.crop((0, rows.start, image.width, rows.stop)).convert("RGB"))
    return array


def _to_8_bits(array: NDArray[Any], path: str | Path) -> tuple[NDArray[np.uint8], int]:
    """Return the array scaled to 0..255, and the value that became 255."""
    largest = array.max(initial=0)
    if array.dtype.kind == "f" and largest <= 1:
        return _converted(array, lambda band: band * 255 + 0.5), 1
    top = next((t for t in (255, 4095, 65535) if largest <= t), None)
    if top is None:
        raise StudyError(f"the image holds values up to {largest}", where=path, allowed="at most 16 bits, 0 to 65535")
    if array.dtype.kind == "f":
        return _converted(array, lambda band: band * (255 / top) + 0.5), top
    return _converted(array, lambda band: (band.astype(np.uint32) * 255 + top // 2) // top), top


def _converted(array: NDArray[Any], convert: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[np.uint8]:
    """Apply `convert` to an array (H, W) in bands; return uint8."""
    result = np.empty(array.shape, np.uint8)
    for rows in bands(*array.shape):
        result[rows] = convert(array[rows]).astype(np.uint8)
    return result
