"""Open an image file and decode all of its pixels as they are stored; a damaged file is an error."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, UnidentifiedImageError

from segstudy.core import pixel_limit
from segstudy.core.errors import StudyError
from segstudy.data.images.locate import locate

# Formats that change values: a 0/1 mask does not survive them, so small values are noise around black.
LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF", "HEIF")

# What is decoded, whatever a file's name says. Others run programs (EPS) or hold pictures of other sizes than they say.
_KNOWN = ("BMP", "DIB", "TIFF", "PNG", "GIF", "PPM", "JPEG", "JPEG2000", "WEBP", "AVIF", "HEIF")

BYTES = 11  # of memory that a pixel takes at most while a picture is read

BAND = 4_000_000  # pixels that are converted at a time

UNREADABLE = (OSError, SyntaxError, TypeError, ValueError, EOFError, IndexError, KeyError, OverflowError, struct.error)
ORIENTATION = 274  # tag of EXIF and TIFF
_BITS, _PHOTOMETRIC, _SOFTWARE = 258, 262, 305  # tags of TIFF
ZERO_IS_WHITE = 0  # of the tag photometric interpretation
_T = Image.Transpose
# Pillow turns TIFF files by their orientation tag while loading, and no other format; this turns them back.
_UNDO = {
    2: _T.FLIP_LEFT_RIGHT,
    3: _T.ROTATE_180,
    4: _T.FLIP_TOP_BOTTOM,
    5: _T.TRANSPOSE,
    6: _T.ROTATE_90,
    7: _T.TRANSVERSE,
    8: _T.ROTATE_270,
}

Image.MAX_IMAGE_PIXELS = None  # `opened` has a limit of its own, and says how to raise it
with suppress(ImportError):  # of the extra `heic`
    import pillow_heif

    pillow_heif.register_heif_opener()
Image.init()  # once, here: loading the format plugins is not safe from several threads at a time
FORMATS = tuple(name for name in _KNOWN if name in Image.OPEN)  # some are not in every build of Pillow


class TooLarge(StudyError):
    """A picture has more pixels than are allowed."""


@contextmanager
def opened(path: str | Path, drawn: bool = False) -> Iterator[Image.Image]:
    """Open `path`; any decoding error in the block becomes a `StudyError` that names the file.

    `drawn`: the file is a figure that segstudy has drawn; a limit below the default does not apply.

    Raises:
        StudyError: the file is missing, may not be read, is no image, is damaged, or has more pixels than are allowed
            (by its header, before anything is decoded).
    """
    try:
        # A file object, not a name: named uncompressed TIFF is mapped into memory with width and height exchanged
        # where its orientation tag says that it lies on its side (Pillow 13).
        stored_in, number = locate(path)
        with open(stored_in, "rb") as file, Image.open(file, formats=FORMATS) as image:
            if number is not None:
                image.seek(number - 1)
            check_pixels(image.width, image.height, path, drawn)
            yield image
    except FileNotFoundError:
        raise StudyError("the file is missing", where=path, remedy="restore it, or index the data again") from None
    except PermissionError:
        raise no_permission(path) from None
    except UNREADABLE as error:
        raise StudyError(
            f"the image cannot be read: {reason(error)}",
            where=path,
            remedy="get this file again from the source; it is cut off, damaged or not an image",
        ) from None


def reason(error: Exception) -> str:
    """Return why a picture cannot be read."""
    return "it is no image" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__


def no_permission(path: str | Path) -> StudyError:
    """Return the error about a file or folder that this user may not read."""
    action = "look into this folder" if Path(path).is_dir() else "read this file"
    return StudyError(
        f"no permission to {action}", where=path, remedy="check the owner and mode of it and of the folders above it"
    )


def check_pixels(width: int, height: int, path: str | Path, drawn: bool = False) -> None:
    """Compare the size in a picture's header, in pixels, with the limit.

    Raises:
        TooLarge: it has more pixels.
    """
    megapixels, limit = width * height / 1e6, pixel_limit.current()
    if megapixels > (max(limit.megapixels, pixel_limit.MAX_MEGAPIXELS) if drawn else limit.megapixels):
        raise TooLarge(
            f"the picture has {megapixels:.4g} megapixels ({width}x{height}); {limit.key} allows {limit.megapixels:g}",
            where=path,
            allowed=f"pictures up to {limit.megapixels:g} megapixels",
            remedy=f"store the picture smaller, or raise {limit.key}; it then takes about "
            f"{max(megapixels * BYTES / 1000, 0.01):.2g} GB of memory while it is read",
        )


def bands(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of an image in bands: temporary arrays then take little memory."""
    rows = max(1, BAND // max(1, width))
    yield from (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def page(image: Image.Image, path: str | Path) -> str:
    """Return which page is read, where a file has several and the path names none."""
    pages = getattr(image, "n_frames", 1) if locate(path).page is None else 1
    return f"page 1 of {pages}: " if pages > 1 else ""


def orientation(image: Image.Image) -> int:
    """Return the orientation tag of a TIFF file, 1 (upright) where there is none and for all other formats."""
    tags: Any = getattr(image, "tag_v2", None) if image.format == "TIFF" else None
    return int(tags.get(ORIENTATION, 1)) if tags else 1


def stored(image: Image.Image) -> Image.Image:
    """Decode all pixels, in the order in which they are stored; 0 is black also where a TIFF has it white.

    Raises:
        StudyError: as `zero_is_black`.
    """
    turned = orientation(image)  # loading removes the tag
    tags: Any = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    name = getattr(getattr(image, "fp", None), "name", "")
    image.load()
    image = image.transpose(_UNDO[turned]) if turned in _UNDO else image
    if tags.get(_PHOTOMETRIC) != ZERO_IS_WHITE or image.mode == "L":  # Pillow turns 8 bits itself, and single ones
        return image
    if image.mode == "1":
        return ImageChops.invert(image) if bits_as_written(tags.get(_SOFTWARE)) else image
    return Image.fromarray(zero_is_black(np.asarray(image), max(tags.get(_BITS, (1,))), name))


def bits_as_written(software: object) -> bool:
    """Return whether a TIFF of single bits with 0 as white means the opposite: True is 1, and should be bright.

    tifffile writes arrays of bool so, and reads them as they were; whoever drew masks with it drew True as object.
    """
    return str(software or "").startswith("tifffile")


def zero_is_black(array: NDArray[Any], bits: int, path: str | Path) -> NDArray[Any]:
    """Return the values of a TIFF that has 0 as white, (H, W, ...), with 0 as black: 2^bits - 1 - v, or 1 - v.

    Raises:
        StudyError: the file does not tell which value is black: signed numbers, or floating point above 1.
    """
    if array.dtype.kind == "u":
        return array.dtype.type(2**bits - 1) - array
    if array.dtype.kind == "f" and array.min(initial=0) >= 0 and array.max(initial=0) <= 1:
        return 1 - array
    raise StudyError(
        "the file says that 0 is white (TIFF, photometric 0), and not which value is black",
        where=path,
        allowed="with 0 as white: whole numbers without sign, or floating point from 0 to 1",
        remedy="store the values with 0 as black (photometric 1)",
    )


def is_lossy(image: Image.Image) -> bool:
    """Return whether the format of a picture changes values; WebP, which has both, is looked into.

    JPEG 2000 counts as lossy: its header does not tell whether bits were left out.
    """
    if image.format != "WEBP":
        return image.format in LOSSY
    source: Any = image
    source.fp.seek(12)  # after "RIFF", size, "WEBP": chunks of a name, a size and an even number of bytes
    while len(head := source.fp.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name in (b"VP8 ", b"VP8L"):
            return bool(name == b"VP8 ")
        source.fp.seek(16 if name == b"ANMF" else size + size % 2, os.SEEK_CUR)  # a frame holds chunks of its own
    return True


def checked(array: NDArray[Any], path: str | Path, negative: bool = False) -> NDArray[Any]:
    """Return `array`; raise a `StudyError` where it holds numbers that are no intensities; `negative` ones may be."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise StudyError("the image holds values that are not finite", where=path)
    if not negative and array.dtype.kind in "fi" and array.min(initial=0) < 0:
        raise StudyError(
            f"the image holds negative values, down to {array.min()}",
            where=path,
            allowed="0 and above; in a data set, its images may have them: one range is chosen for all",
        )
    return array
