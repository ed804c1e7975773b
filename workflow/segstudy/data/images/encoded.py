"""Pictures inside other files: PNG or JPEG bytes in an annotation file or a table."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.data.images.decode import FORMATS, ORIENTATION, UNREADABLE, check_pixels, reason

SUFFIXES = {
    **{"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "BMP": ".bmp", "GIF": ".gif", "PPM": ".ppm"},
    **{"WEBP": ".webp", "AVIF": ".avif", "JPEG2000": ".jp2"},
}


def from_base64(text: str, what: str, where: object) -> bytes:
    """Return the bytes of a picture that stands as text in a file.

    Raises:
        StudyError: it is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise StudyError(f"{what} is no base64: {error}", where=where) from None


def suffix_of(encoded: bytes, where: str | Path) -> str:
    """Return the suffix of a file that holds an encoded picture; its pixels are not decoded.

    Raises:
        StudyError: it is no picture, or one of a format that is not read.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            check_pixels(image.width, image.height, where)
            return SUFFIXES[str(image.format)]
    except UNREADABLE as error:
        raise StudyError(
            f"no picture that can be read: {reason(error)}", where=where, allowed=", ".join(SUFFIXES)
        ) from None


def size_of(encoded: bytes, where: str | Path) -> tuple[int, int]:
    """Return (width, height) of an encoded picture as a viewer shows it; its pixels are not decoded.

    Raises:
        StudyError: it is no picture.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            turned = image.getexif().get(ORIENTATION, 1) in range(5, 9)
            return (image.height, image.width) if turned else image.size
    except UNREADABLE as error:
        raise StudyError(f"no picture that can be read: {reason(error)}", where=where) from None


def values_of(encoded: bytes, where: str | Path) -> NDArray[Any]:
    """Return the values (grey, palette indices) of an encoded picture, (H, W).

    Raises:
        StudyError: it cannot be read to its last pixel, or has colours.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            check_pixels(image.width, image.height, where)
            array: NDArray[Any] = np.asarray(image)
    except UNREADABLE as error:
        raise StudyError(f"no picture that can be read: {reason(error)}", where=where) from None
    if array.ndim != 2:
        raise StudyError("a mask with colours", where=where, allowed="1-bit, palette and grey pictures")
    return array
