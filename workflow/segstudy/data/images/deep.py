"""Decode images of more than 8 bits a channel, or of other channels than grey and RGB, without losing any bit.

Pillow reads most of them, but keeps only the upper 8 bits of colours; the lower ones are read by asking its decoder for
the other byte of each value. TIFF files that Pillow does not know are read by tifffile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from segstudy.core.errors import StudyError
from segstudy.data.images.decode import (
    ORIENTATION,
    ZERO_IS_WHITE,
    bits_as_written,
    check_pixels,
    stored,
    zero_is_black,
)
from segstudy.data.images.locate import locate

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS, _SAMPLES, _PLANAR, _FORMAT = 258, 277, 284, 339  # tags of TIFF
_SIGNED = 2  # value of the last
_LEAST, _MOST = 340, 341  # smallest and largest value that a file may hold, as its writer declares
_RGB, _SEPARATE = 2, 2  # values of tags: colours are red, green, blue; each channel is stored for itself
_WORDS = ("16B", "16L", "16N")  # raw modes of 16-bit values: big-endian, little-endian, the machine's


def is_deep(image: Image.Image) -> bool:
    """Return whether an image that is not decoded yet has more than 8 bits a channel."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16") or _raw_mode(image).partition(";")[2] in _WORDS


def deep_pixels(image: Image.Image, fourth: bool = False) -> NDArray[Any]:
    """Return the values of a deep image as stored, (H, W) or, of colours, (H, W, 3).

    Transparency is dropped, unless the `fourth` channel of an image of mode RGBA is wanted: (H, W, 4).
    """
    name, _, order = _raw_mode(image).partition(";")
    if name == "LA" and order in _WORDS:  # two 16-bit values are the four bytes of an RGBA pixel
        _ask_for(image, "RGBA")
        array = np.asarray(stored(image)).astype(np.uint16)
        return array[..., 0] << 8 | array[..., 1]
    if image.mode not in ("RGB", "RGBA"):
        return np.asarray(stored(image))
    count = 4 if fourth else 3
    upper = np.asarray(stored(_reopened(image)))[..., :count].astype(np.uint16)
    low_byte = "16L" if order == "16B" else "16B"  # "16N" is little-endian on every machine that torch is built for
    _ask_for(image, f"{name};{low_byte}")
    return upper << 8 | np.asarray(stored(image))[..., :count]


def _raw_mode(image: Image.Image) -> str:
    tiles = getattr(image, "tile", None)
    args = tiles[0].args if tiles else ""
    return str(args[0] if isinstance(args, tuple) else args)


def _ask_for(image: Any, mode: str) -> None:
    """Let the decoder of an image take its bytes for pixels of another raw mode."""
    image.tile = [
        tile._replace(args=(mode, *tile.args[1:]) if isinstance(tile.args, tuple) else mode) for tile in image.tile
    ]


def _reopened(image: Image.Image) -> Image.Image:
    source: Any = image
    source.fp.seek(0)
    again = Image.open(source.fp, formats=(str(image.format),))
    if image.tell():
        again.seek(image.tell())
    return again


def declared_range(image: Image.Image) -> tuple[float, float] | None:
    """Return the smallest and largest value that a TIFF file says it may hold; None where it says nothing."""
    tags: Any = getattr(image, "tag_v2", None) if image.format == "TIFF" else None
    values = [tags.get(tag) if tags else None for tag in (_LEAST, _MOST)]
    low, high = (value[0] if isinstance(value, tuple) else value for value in values)
    return None if high is None else (float(low or 0), float(high))


def by_tifffile(path: str | Path, channels: Sequence[int] = ()) -> bool:
    """Return whether a file is a TIFF that Pillow cannot read as it is, or whose channels are chosen.

    A file that is missing or may not be read is none: Pillow's way of reading says so.
    """
    name = locate(path).file
    if not name.is_file() or not os.access(name, os.R_OK):
        return False
    with open(name, "rb") as file:
        if file.read(4) not in _TIFF:
            return False
        if channels:
            return True
        file.seek(0)
        try:
            with Image.open(file, formats=("TIFF",)) as image:
                tags: Any = getattr(image, "tag_v2", {})
                bits = max(tags.get(_BITS, (1,)))
                signed = bits == 8 and _SIGNED in tags.get(_FORMAT, ())  # Pillow makes 255 of -1
                return tags.get(_SAMPLES, 1) > 4 or signed or (bits > 8 and tags.get(_PLANAR, 1) == _SEPARATE)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, KeyError):
            return _is_whole(path)


def _is_whole(path: str | Path) -> bool:
    from tifffile import TiffFile

    try:
        with TiffFile(locate(path).file) as file:
            return bool(file.pages[0].shape)
    except Exception:  # whatever it stumbles over: the file is damaged, which the usual way of reading says
        return False


@contextmanager
def _tiff(path: str | Path) -> Iterator[Any]:
    """Open a file with tifffile; whatever it stumbles over becomes a `StudyError` that names the file."""
    from tifffile import TiffFile

    try:
        with TiffFile(locate(path).file) as file:
            yield file
    except StudyError:
        raise
    except Exception as error:
        library = "imagecodecs" in str(error)
        raise StudyError(
            f"the image cannot be read: {error or type(error).__name__}",
            where=path,
            remedy="install what unpacks it: pip install -c constraints.txt -e '.[tiff]'; or store the file with "
            "Deflate or without compression"
            if library
            else "get this file again from the source; it is cut off, damaged or not an image",
        ) from None


def _part(file: Any, path: str | Path, channels: Sequence[int]) -> Any:
    """Return the page that is read, or all pages together where channels are chosen and no page is named."""
    number = locate(path).page
    return file.series[0] if channels and number is None else file.pages[(number or 1) - 1]


def tiff_size(path: str | Path, channels: Sequence[int] = ()) -> tuple[int, int]:
    """Return (width, height) of a file for tifffile, from its header."""
    with _tiff(path) as file:
        one = _part(file, path, channels)
        height, width = (one.shape[one.axes.index(axis)] for axis in "YX")
        check_pixels(width, height, path)
        return width, height


def tiff_pages(path: str | Path) -> int:
    """Return the number of pages of a file for tifffile; of a named page, 1."""
    with _tiff(path) as file:
        return 1 if locate(path).page is not None else len(file.pages)


def tiff_orientation(path: str | Path) -> int:
    """Return the orientation tag of a file for tifffile, 1 where there is none."""
    with _tiff(path) as file:
        tag = file.pages[(locate(path).page or 1) - 1].tags.get(ORIENTATION)
        return int(tag.value) if tag else 1


def tiff_pixels(path: str | Path, channels: Sequence[int] = ()) -> tuple[NDArray[Any], str]:
    """Return the values (H, W) or (H, W, 3) of a TIFF file, and its kind in words.

    Args:
        path: of the file.
        channels: which channels are taken, one or three, from 1 on; they may lie in one page or in several. Without it,
            the first page has to be grey or RGB, with or without transparency.

    Raises:
        StudyError: the file cannot be decoded, or has other channels.
    """
    tiff_size(path, channels)
    with _tiff(path) as file:
        one = _part(file, path, channels)
        array, axes = one.asarray(), one.axes
        first = file.pages[0]
        colour, software, bits = first.photometric == _RGB, first.software, first.bitspersample
        inverted = first.photometric == ZERO_IS_WHITE
    if array.dtype == np.bool_:
        array = np.where(array != (inverted and not bits_as_written(software)), np.uint8(255), np.uint8(0))
    elif inverted:
        array = zero_is_black(array, bits, path)
    array, count = _planes(array, axes)
    kind = f"TIFF {array.dtype}, {count} {'channel' if count == 1 else 'channels'}"
    if not channels:
        channels = _usual(count, colour, path)
    if max(channels) > count:
        raise OtherChannels(
            f"the image has {count} channels, and channel {max(channels)} is asked for",
            where=path,
            remedy="correct 'channels' in the data set's block",
        )
    chosen = array[..., [number - 1 for number in channels]]
    return (chosen[..., 0] if len(channels) == 1 else chosen), kind


def _planes(array: NDArray[Any], axes: str) -> tuple[NDArray[Any], int]:
    """Return (H, W, channels), the first of whatever else a file holds many of, and the number of channels."""
    channel = next((axis for axis in "CSIQ" if axis in axes), "")
    for axis in [axis for axis in axes if axis not in f"YX{channel}"]:
        array = array.take(0, axes.index(axis))
        axes = axes.replace(axis, "")
    places = [axes.index(axis) for axis in f"YX{channel}"]
    array = array.transpose(places)
    array = array if channel else array[..., None]
    return array, array.shape[2]


class OtherChannels(StudyError):
    """An image has other channels than can be read without being told which."""


def _usual(count: int, colour: bool, path: str | Path) -> Sequence[int]:
    if colour and count in (3, 4):
        return 1, 2, 3
    if not colour and count in (1, 2):
        return (1,)
    raise OtherChannels(
        f"the image has {count} channels: which are red, green and blue cannot be known",
        where=path,
        allowed="grey or RGB images, with or without transparency",
        remedy="say which three (or which one) are read, in the data set's block: 'channels: [1, 2, 3]', from 1 on",
    )
