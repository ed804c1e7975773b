"""Read any image or mask file as what it really is, and say what was done.

Pixels are taken as they are stored: neither EXIF nor TIFF orientation is applied, because masks are drawn on the
stored pixels and would no longer fit. Of files with several frames the first is read. A file that cannot be
read to its last pixel is an error, never a half-grey picture.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from segstudy.errors import StudyError

LARGEST = 500_000_000  # pixels; a larger claim in a header is taken for a broken or hostile file

# Formats that change values: a 0/1 mask does not survive them, so small values are noise around black.
LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF")

_UNREADABLE = (
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
)
_ORIENTATION = 274
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

Image.MAX_IMAGE_PIXELS = LARGEST
Image.init()  # once, here: loading the format plugins is not safe from several threads at a time


class Mask(NamedTuple):
    """A binary mask and how it came about."""

    array: NDArray[np.bool_]  # (H, W)
    mode: str  # format and Pillow mode of the file, for instance "GIF P"
    note: str  # the rule that was applied, for instance "above 127 is foreground"
    values: int  # number of distinct values (colours, indices) in the file
    between: float  # share of pixels from 10 to 90 % of the range: neither clearly background nor foreground


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) in pixels from the header alone.

    Raises:
        StudyError: the file is missing, not an image, or its header is cut off.
    """
    with _opened(path) as image:
        turned = _orientation(image) in (5, 6, 7, 8)
        return (image.height, image.width) if turned else (image.width, image.height)


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Return the image as uint8 (H, W, 3).

    Grey, palette, 1-bit, CMYK and other colour spaces become RGB; transparency is dropped. Deeper images are scaled
    by a constant, never clipped: the smallest of 8, 12 and 16 bits that holds their largest value becomes 0..255;
    floating-point images up to 1 are taken as 0..1.

    Raises:
        StudyError: the file is missing or cannot be read to its last pixel, or holds negative values.
    """
    with _opened(path) as image:
        pixels = _stored(image)
        deep = pixels.mode in ("I", "F") or pixels.mode.startswith("I;16")
        array = np.asarray(pixels if deep else pixels.convert("RGB"))
    if not deep:
        return np.array(array)
    grey = _to_8_bits(_checked(array, path), path)
    return np.repeat(grey[..., None], 3, axis=2)


def read_mask(path: str | Path) -> Mask:
    """Return a binary mask, foreground where the stored value lies above half of its range.

    One number per pixel: the value of grey and 1-bit files; the brightest channel of colours (a red mask counts like
    a white one); of palette files the colour that a viewer shows, or, where all colours in use lie on the same side
    of half, the index, 0 being background; the alpha channel where alone it varies, otherwise a varying alpha darkens
    the colour as if over black. The range is the smallest of 0..1, 0..255 and 0..65535 that holds the
    largest value (0..255 at least for lossy formats). So 1 of {0, 1}, 251 of {0, 251} and a constant 253
    are foreground, and grey edges are cut at half; nothing is stretched between its own minimum and maximum.

    Raises:
        StudyError: the file is missing or cannot be read to its last pixel, or holds negative values.
    """
    with _opened(path) as image:
        kind, lossy = f"{image.format} {image.mode}", image.format in LOSSY
        pixels = _stored(image)
        levels, source, values = _levels(pixels)
    _checked(levels, path)
    largest = levels.max(initial=0)
    top = next((t for t in ((255, 65535) if lossy else (1, 255, 65535)) if largest <= t), int(np.ceil(largest)))
    half = top // 2 if levels.dtype.kind in "ub" or levels.dtype.kind == "i" else top / 2
    array = levels > half
    rule = "1 is foreground" if half == 0 else f"above {half} is foreground"
    if levels.size and levels.min() == largest:
        rule = f"constant {largest}: all {'foreground' if array.all() else 'background'}"
    elif not array.any():
        rule += f"; nothing is, the largest value being {largest}"
    between = np.mean((levels > 0.1 * top) & (levels < 0.9 * top)) if levels.size else 0.0
    return Mask(array, kind, source + rule, values, float(between))


def read_labels(path: str | Path) -> tuple[NDArray[Any], str]:
    """Return the values of a label file as whole numbers (H, W), and format and mode of the file.

    Palette files give their indices (never their colours), grey files their values.

    Raises:
        StudyError: the file cannot be read, or holds colours or fractions instead of values.
    """
    with _opened(path) as image:
        kind = f"{image.format} {image.mode}"
        pixels = _stored(image)
        array = np.asarray(pixels)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if array.ndim == 3 and pixels.mode == "RGB" and (array == array[..., :1]).all():
        array = array[..., 0]
    if array.ndim == 3 or array.dtype.kind == "f":
        raise StudyError(
            f"a picture of mode {pixels.mode} holds no class values",
            where=path,
            allowed="palette or grey files",
            remedy="use the original label file (converting palette files to RGB destroys the values), or map colours "
            "under the data set's classes, for instance window: '#ff0000'",
        )
    return _checked(array, path), kind


def read_colours(path: str | Path) -> tuple[NDArray[np.uint32], str]:
    """Return the colour of every pixel as 0xRRGGBB (H, W), and format and mode of the file; alpha is dropped.

    Raises:
        StudyError: the file cannot be read.
    """
    with _opened(path) as image:
        kind = f"{image.format} {image.mode}"
        red, green, blue = np.moveaxis(np.asarray(_stored(image).convert("RGB")).astype(np.uint32), 2, 0)
    packed: NDArray[np.uint32] = red * np.uint32(0x10000) + green * np.uint32(0x100) + blue
    return packed, kind


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """Open `path`; whatever goes wrong in the block while decoding ends as one `StudyError` naming it."""
    try:
        # A file object, not a name: named uncompressed TIFF is mapped into memory with width and height exchanged
        # where its orientation tag says that it lies on its side (Pillow 13).
        with open(path, "rb") as file, Image.open(file) as image:
            if image.width * image.height > LARGEST:
                raise ValueError(f"it claims {image.width}x{image.height} pixels, {LARGEST:,} at most are read")
            yield image
    except FileNotFoundError:
        raise StudyError("the file is missing", where=path, remedy="restore it, or index the data again") from None
    except _UNREADABLE as error:
        reason = "it is no image" if isinstance(error, UnidentifiedImageError) else str(error)
        raise StudyError(
            f"the image cannot be read: {reason or type(error).__name__}",
            where=path,
            remedy="get this file again from the source; it is cut off, damaged or not an image",
        ) from None


def _orientation(image: Image.Image) -> int:
    tags: Any = getattr(image, "tag_v2", None) if image.format == "TIFF" else None
    return int(tags.get(_ORIENTATION, 1)) if tags else 1


def _stored(image: Image.Image) -> Image.Image:
    """Decode all pixels, in the order in which they are stored."""
    orientation = _orientation(image)  # loading removes the tag
    image.load()
    return image.transpose(_UNDO[orientation]) if orientation in _UNDO else image


def _checked(array: NDArray[Any], path: str | Path) -> NDArray[Any]:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise StudyError("the image holds values that are not finite", where=path)
    if array.dtype.kind in "fi" and array.min(initial=0) < 0:
        raise StudyError(f"the image holds negative values, down to {array.min()}", where=path, allowed="0 and above")
    return array


def _to_8_bits(array: NDArray[Any], path: str | Path) -> NDArray[np.uint8]:
    largest = array.max(initial=0)
    if array.dtype.kind == "f" and largest <= 1:
        return (array * 255 + 0.5).astype(np.uint8)
    top = next((t for t in (255, 4095, 65535) if largest <= t), None)
    if top is None:
        raise StudyError(f"the image holds values up to {largest}", where=path, allowed="at most 16 bits, 0 to 65535")
    if array.dtype.kind == "f":
        return (array * (255 / top) + 0.5).astype(np.uint8)
    return ((array.astype(np.uint32) * 255 + top // 2) // top).astype(np.uint8)


def _levels(image: Image.Image) -> tuple[NDArray[Any], str, int]:
    """Return one number per pixel (H, W), what it is taken from, and the number of distinct stored values."""
    mode = image.mode
    if mode == "1":
        array = np.asarray(image).astype(np.uint8)
        return array, "", _distinct(array)
    if mode == "P":
        return _palette_levels(image)
    if mode in ("L", "I", "F") or mode.startswith("I;16"):
        array = np.asarray(image)
        return array, "", _distinct(array)
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return _alpha_levels(np.asarray(image.convert("RGBA")))
    array = np.asarray(image.convert("RGB"))
    return array.max(axis=2), _channel_source(array), _distinct_colours(array)


def _palette_levels(image: Image.Image) -> tuple[NDArray[Any], str, int]:
    indices = np.asarray(image)
    used = np.flatnonzero(image.histogram()[:256])
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
    return "" if (array[..., :1] == array).all() else "brightest channel: "


def _distinct(array: NDArray[Any]) -> int:
    if array.dtype == np.uint8:
        return int(np.count_nonzero(Image.fromarray(array).histogram()))  # counts without the copies of a sort
    return len(np.unique(array))


def _distinct_colours(array: NDArray[np.uint8]) -> int:
    if (array[..., :1] == array).all():
        return _distinct(np.ascontiguousarray(array[..., 0]))
    packed = np.zeros(array.shape[:2], np.uint32)
    for channel in range(array.shape[2]):
        packed = (packed << np.uint32(8)) | array[..., channel]
    return len(np.unique(packed))
