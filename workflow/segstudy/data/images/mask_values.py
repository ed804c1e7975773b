"""Reduce a mask file to one number per pixel: from values, palette, colours or transparency. Count what it stores."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segstudy.data.images.decode import bands
from segstudy.data.images.palettes import no_background, palette_of

FEW = 32  # values up to this many are looked at one by one
SOFT = 0.5  # share of the pixels between darkest and brightest that lie on edges: more of them is a soft-edged mask
STEP = 16  # pixels of the one value between two others: a soft edge of so many would have several values
FLAT = 0.3  # share of them that have their own value and background around: more are numbered objects, less a picture
# JPEG leaves specks of other values beside 0 and 255. Masks of discs, DRIVE, PH2 and EBHI-SEG, qualities 75 to 100: of
# the pixels of 0 to 25 and 230 to 255 that are not 0 or 255, up to 0.003 lie among equals (objects: their inside does),
# and all other pixels are up to 0.02 of the bright ones.
END = 25
SPECKS = 0.02
REST = 0.1


class Levels(NamedTuple):
    """A mask file with one number per pixel."""

    numbers: NDArray[Any]  # (H, W): what is compared with half of the range
    source: str  # where the numbers come from, in words
    values: NDArray[Any]  # distinct stored values: grey values, indices of a palette, or colours as 0xRRGGBB
    counts: NDArray[np.int64]  # pixels of each
    stored: str  # what `values` are: "value", "index", "colour", or "" where a varying alpha makes them neither
    drawn: NDArray[np.bool_] | None = None  # (H, W) of palette files: what is no background by colour, or by index


def levels(image: Image.Image, void: NDArray[np.bool_] | None = None) -> Levels:
    """Return one number per pixel (H, W), its source, and the stored values with their numbers of pixels.

    Where `void` is True (not everywhere), pixels are as if not there; their number is the least of the others.
    """
    if void is not None and void.any():
        return _without(image, void)
    mode = image.mode
    if mode == "P":
        return _palette_levels(image)
    if mode in ("1", "L", "RGB") and "transparency" in image.info:  # the value (colour) that is seen through
        return _alpha_levels(np.asarray(image.convert("RGBA")))
    if mode in ("1", "L", "I", "F") or mode.startswith("I;16"):
        array = np.asarray(image)
        array = array.astype(np.uint8) if mode == "1" else array
        return Levels(array, "", *_counted(array), "value")
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return _alpha_levels(np.asarray(image if mode == "RGBA" else image.convert("RGBA")))
    array = np.asarray(image if mode == "RGB" else image.convert("RGB"))
    return _colour_levels(array)


def _without(image: Image.Image, void: NDArray[np.bool_]) -> Levels:
    """Return the levels of the other pixels, looked at in a picture one pixel wide."""
    if image.mode not in ("1", "L", "P", "LA", "RGB", "RGBA", "I", "F") and not image.mode.startswith("I;16"):
        image = image.convert("RGBA" if image.mode in ("La", "PA", "RGBa") else "RGB")
    column = Image.fromarray(np.asarray(image)[~void][:, None])
    if image.mode == "P":
        column = Image.frombytes("P", column.size, column.tobytes())
        column.putpalette(image.getpalette("RGB") or [], "RGB")
    column.info |= image.info
    found = levels(column)
    numbers = np.full(void.shape, found.numbers.min())
    numbers[~void] = found.numbers[:, 0]
    drawn = None if found.drawn is None else np.zeros(void.shape, bool)
    if drawn is not None and found.drawn is not None:
        drawn[~void] = found.drawn[:, 0]
    return found._replace(numbers=numbers, drawn=drawn)


def is_value_map(found: Levels) -> bool:
    """Return whether the stored values are a few separate numbers, each with a meaning, and no grey picture.

    Soft edges hold values between background and foreground too, but only where they lie between both: their pixels
    have a darker and a brighter neighbour. Of more than `FEW` values, those of numbered objects lie in flat areas or
    beside background, and those of a photograph or a probability map beside slightly darker and brighter ones. One
    value alone between background and foreground is no soft edge but a third kind of pixels, such as a void outline.
    Specks of values near 0 and near 255 are what a lossy file left of 0 and 255.
    """
    if not found.stored or len(found.values) < 3 or (found.numbers.dtype.kind == "f" and not _whole(found.values)):
        return False
    numbers = found.numbers
    if black_and_white(found):
        return False
    lowest, highest = numbers.min(), numbers.max()
    few = len(found.values) <= FEW
    margin = 0 if few else 0.1 * float(highest)
    between = on_edges = flat = 0
    for rows in bands(*numbers.shape):
        least, most, inner = _neighbours(numbers, rows)
        middle = (inner > lowest + margin) & (inner < highest - margin)
        between += int(np.count_nonzero(middle))
        on_edges += int(np.count_nonzero(middle & (least < inner) & (inner < most)))
        flat += int(np.count_nonzero(middle & (inner == most) & ((least == most) | (least == lowest))))
    if few:
        return on_edges <= SOFT * between or (len(found.values) == 3 and on_edges >= STEP)
    return found.stored != "colour" and between > 0 and flat > FLAT * between


def black_and_white(found: Levels) -> bool:
    """Return whether a mask is 0 and 255 but for specks of values near both, as a file that was lossy once leaves them.

    A class of its own would have an inside, pixels with their own value all around.
    """
    if found.stored != "value" or found.numbers.dtype != np.uint8:
        return False
    pixels = np.bincount(found.values.astype(np.intp), found.counts, 256)
    dark, bright = pixels[: END + 1], pixels[-END - 1 :]
    specks = dark[1:].sum(), bright[:-1].sum()
    rest = pixels.sum() - dark.sum() - bright.sum()
    if not all(specks) or dark.argmax() != 0 or bright.argmax() != END or rest > REST * bright.sum():
        return False
    inside = 0
    for rows in bands(*found.numbers.shape):
        least, most, inner = _neighbours(found.numbers, rows)
        near = ((inner > 0) & (inner <= END)) | ((inner >= 255 - END) & (inner < 255))
        inside += int(np.count_nonzero(near & (least == most)))
    return inside <= SPECKS * sum(specks)


def flat_half_tones(numbers: NDArray[Any]) -> float:
    """Return the share of pixels (H, W) from 10 to 90 % of the range that lie in flat areas: no edges, but values."""
    flat = 0
    for rows in bands(*numbers.shape):
        least, most, inner = _neighbours(numbers.astype(np.int32), rows)
        flat += int(np.count_nonzero((inner > 0.1 * 255) & (inner < 0.9 * 255) & (most - least < 0.1 * 255)))
    return flat / max(1, numbers.size)


def _whole(values: NDArray[Any]) -> bool:
    return bool((values == np.floor(values)).all())


def _neighbours(numbers: NDArray[Any], rows: slice) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the least and the largest of 3x3 pixels, and the pixel itself, for some rows."""
    from scipy.ndimage import maximum_filter, minimum_filter

    above, below = min(rows.start, 1), min(numbers.shape[0] - rows.stop, 1)
    band = numbers[rows.start - above : rows.stop + below]
    inner = slice(above, above + rows.stop - rows.start)
    least, most = (f(band, 3, mode="nearest")[inner] for f in (minimum_filter, maximum_filter))
    return least, most, band[inner]


def _palette_levels(image: Image.Image) -> Levels:
    indices = np.asarray(image)
    values, counts = _counted(indices)
    palette = palette_of(image)
    if np.unique(palette[values, 3]).size > 1:  # the rules of pictures with transparency, for each index in use
        found = _alpha_levels(palette[values][:, None])
        table = np.zeros(256, np.uint8)
        table[values] = found.numbers[:, 0]
        numbers = table[indices]
        return Levels(numbers, found.source, values, counts, "index" if found.stored else "", numbers > 0)
    foreground = no_background(palette, values)
    brightest = palette[:, :3].max(axis=1)
    if len(values) > 1 and len(set(brightest[values] > 127)) == 1:
        source = "palette index above 0: " if not foreground[0] else "palette colour not black: "
        numbers = foreground[indices]
        return Levels(numbers.astype(np.uint8), source, values, counts, "index", numbers)
    return Levels(brightest[indices], "palette colours: ", values, counts, "index", foreground[indices])


def _colour_levels(array: NDArray[np.uint8]) -> Levels:
    """Return the brightest channel of (H, W, 3)."""
    if _grey(array):
        grey = np.ascontiguousarray(array[..., 0])
        return Levels(grey, "", *_counted(grey), "value")
    return Levels(array.max(axis=2), "brightest channel: ", *_counted_colours(array), "colour")


def _alpha_levels(array: NDArray[np.uint8]) -> Levels:
    colour, alpha = array[..., :3], array[..., 3]
    if alpha.min() == alpha.max():  # also where a writer left an unused alpha at 0 all over
        return _colour_levels(colour)
    values, counts = _counted_colours(array)
    drawn = alpha > 0
    if (colour == colour[:1, :1]).all() or not colour[drawn].any():
        return Levels(alpha, "alpha channel: ", values, counts, "")
    if np.unique(alpha[drawn]).size == 1:  # no soft edges: all that is drawn has one strength
        return _colour_levels(np.where(drawn[..., None], colour, np.uint8(0)))._replace(source="colour over black: ")
    darkened = colour.max(axis=2).astype(np.uint16) * alpha // 255
    return Levels(darkened.astype(np.uint8), "colour over black: ", values, counts, "")


def _grey(array: NDArray[np.uint8]) -> bool:
    return all((array[rows, :, :1] == array[rows]).all() for rows in bands(*array.shape[:2]))


def _counted(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the distinct values of (H, W), and the number of pixels of each."""
    if array.dtype != np.uint8:
        values, counts = np.unique(array, return_counts=True)
        return values, counts
    counts = np.array(Image.fromarray(array).histogram(), np.int64)  # counts without the copies of a sort
    values = np.flatnonzero(counts)
    return values, counts[values]


def _counted_colours(array: NDArray[np.uint8]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    values, counts = np.zeros(0, np.uint32), np.zeros(0, np.int64)
    for rows in bands(*array.shape[:2]):
        band = array[rows]
        packed = np.zeros(band.shape[:2], np.uint32)
        for channel in range(array.shape[2]):
            packed = (packed << np.uint32(8)) | band[..., channel]
        more, of_each = np.unique(packed, return_counts=True)
        values, place = np.unique(np.concatenate([values, more]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([counts, of_each]), len(values)).astype(np.int64)
    return values, counts
