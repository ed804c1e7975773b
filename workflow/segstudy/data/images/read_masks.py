"""Read mask files of any encoding, and report the rule that was applied; see also `images.read`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segstudy.core.errors import StudyError
from segstudy.data.images.decode import bands, checked
from segstudy.data.images.mask_file import mask_file
from segstudy.data.images.mask_values import Levels, flat_half_tones, is_value_map, levels
from segstudy.data.images.orientation import as_noted
from segstudy.data.images.palettes import colours_in_use
from segstudy.data.images.read import files_of


class Mask(NamedTuple):
    """A binary mask and how it was decoded."""

    array: NDArray[np.bool_]  # (H, W)
    mode: str  # format and Pillow mode of the file, for instance "GIF P"
    note: str  # the rule that was applied, for instance "above 127 is foreground"
    values: int  # number of distinct values (colours, indices) in the file
    between: float  # share of pixels from 10 to 90 % of the range: neither clearly background nor foreground
    counts: Mapping[int | str, int] = {}  # pixels of each value, of lossless files of a few separate values
    value_map: bool = False  # the values are more than two, and no grey edges: half of the range means nothing
    void: NDArray[np.bool_] | None = None  # (H, W), True where a pixel counts for nothing; background in `array`
    flat: float = 0.0  # of lossy files, share of half-tones in flat areas: values that had a meaning before
    palette: Mapping[int, str] = {}  # see `LabelFile`, where values are void


class NoClassValues(StudyError):
    """A mask file is sound, but what it stores is not values that stand for classes."""


def read_mask(
    path: str | Path,
    inverted: bool = False,
    above_zero: bool = False,
    void: Sequence[int | str] = (),
    upright: bool = False,
) -> Mask:
    """Return a binary mask, foreground where the stored value lies above half of its range.

    One number per pixel: the value of grey and 1-bit files; the brightest channel of colours (a red mask counts like
    a white one); of palette files the colour that a viewer shows, or, where all colours in use lie on the same side
    of half, the index, 0 being background; the alpha channel where alone it varies, otherwise a varying alpha darkens
    the colour as if over black. The range is the smallest of 0..1, 0..255 and 0..65535 that holds the
    largest value (0..255 at least for lossy formats). So 1 of {0, 1}, 251 of {0, 251} and a constant 253
    are foreground, and grey edges are cut at half; nothing is stretched between its own minimum and maximum.
    Where a lossless file holds 0 and one other value, that one is foreground, however small.

    Args:
        path: of the file, or of several that are one mask together (see `files_of`): what any of them marks.
        inverted: the foreground is dark: what lies not above half is foreground.
        upright: turned as the file's note (EXIF, TIFF) says.
        above_zero: all stored values (indices, colours) above 0 are foreground; half of the range means nothing.
        void: values or colours whose pixels count for nothing (see `void_pixels`): the rule looks at the others alone.
            In several files that are one mask, a pixel that one of them marks is foreground.

    Raises:
        StudyError: a file is missing or cannot be read to its last pixel, or holds negative values; files that are one
            mask together differ in size; or `above_zero` is asked of a lossy file.
    """
    files = files_of(path)
    if files == [Path(path)]:
        return _one_mask(path, inverted, above_zero, void, upright)
    if not files:
        raise StudyError("no mask file has such a name", where=path, remedy="restore them, or index the data again")
    first = _one_mask(files[0], inverted, above_zero, void, upright)
    for file in files[1:]:  # one at a time: an image may have hundreds of objects
        mask = _one_mask(file, inverted, above_zero, void, upright)
        if mask.array.shape != first.array.shape:
            raise StudyError(
                f"the masks of one image differ in size: {files[0].name} and {file.name}",
                where=path,
                allowed="one size for all objects of an image",
            )
        first.array[...] |= mask.array
        if first.void is not None and mask.void is not None:
            first.void[...] = (first.void | mask.void) & ~first.array
        first = first._replace(
            values=max(first.values, mask.values),
            between=max(first.between, mask.between),
            flat=max(first.flat, mask.flat),
            counts=dict(Counter(first.counts) + Counter(mask.counts)),
            value_map=first.value_map or mask.value_map,
        )
    if not first.value_map:  # 0 and 1 in one file and 0 and 2 in the next are two objects, not two kinds of them
        first = first._replace(counts={})
    return first._replace(note=f"one file an object, joined: {first.note}")


def _one_mask(path: str | Path, inverted: bool, above_zero: bool, void: Sequence[int | str], upright: bool) -> Mask:
    """Return the mask of one file, turned as it notes where it is to be `upright`."""
    nowhere, palette = void_pixels(path, void) if void else (None, {})
    mask = _marked(path, inverted, above_zero, nowhere)
    if nowhere is not None:
        said = f"; {', '.join(map(str, void))} is void"
        mask = mask._replace(array=mask.array & ~nowhere, note=mask.note + said)
        mask = mask._replace(void=as_noted(nowhere, path, upright), palette=palette)
    return mask._replace(array=as_noted(mask.array, path, upright))


def _marked(path: str | Path, inverted: bool, above_zero: bool, void: NDArray[np.bool_] | None) -> Mask:
    """Return the mask of one file as stored; nothing is said of void pixels, and they have no say."""
    file = mask_file(path)
    kind, lossy = file.mode, file.lossy
    source = file.page + ("greys of the palette: " if file.greys else "")
    if void is not None and void.all():
        return Mask(np.zeros(void.shape, bool), kind, source + "no pixel counts", 0, 0.0)
    found = levels(file.pixels, void)
    del file
    _not_negative(found.numbers, path)
    if above_zero:
        array = _above_zero(found, lossy, path)
        what = "index above 0, or colour not black," if found.stored == "index" else f"{found.stored} above 0"
        return Mask(array, kind, f"{source}{what} is foreground", len(found.values), 0.0)
    array, rule = _above_half(found, lossy, inverted)
    few = found.stored and not lossy
    value_map = bool(few and is_value_map(found))
    counts = _spelt_counts(found) if few and (value_map or len(found.values) <= 2) else {}
    note = source + found.source + rule + (" (inverted)" if inverted else "")
    counted = found.numbers if void is None else found.numbers[~void][:, None]
    flat = flat_half_tones(found.numbers) if lossy and found.numbers.dtype == np.uint8 else 0.0
    return Mask(array, kind, note, len(found.values), _between(counted, lossy), counts, value_map, flat=flat)


def void_pixels(path: str | Path, void: Sequence[int | str]) -> tuple[NDArray[np.bool_], Mapping[int, str]]:
    """Return where a mask file holds one of the values or colours `void`, (H, W), and the palette of `read_labels`.

    Raises:
        StudyError: the file cannot be read, or holds colours where values are asked for.
    """
    by_colour = any(isinstance(value, str) for value in void)
    values, _, palette = (*read_colours(path), {}) if by_colour else read_labels(path)
    return np.isin(values, [number(value) for value in void]), palette


def number(value: int | str) -> int:
    """Return a value of a mask as it is, a colour '#rrggbb' as 0xRRGGBB."""
    return int(value.removeprefix("#"), 16) if isinstance(value, str) else value


def _above_zero(found: Levels, lossy: bool, path: str | Path) -> NDArray[np.bool_]:
    if lossy:
        raise NoClassValues(
            "a lossy file holds no exact values, so 'above_zero' cannot tell what is background",
            where=path,
            allowed="PNG, TIFF, GIF or BMP",
            remedy="use the original masks, or leave 'above_zero' out: masks are then cut at half of their range",
        )
    return found.numbers > 0 if found.drawn is None else found.drawn


def _above_half(found: Levels, lossy: bool, inverted: bool) -> tuple[NDArray[np.bool_], str]:
    """Return the foreground, and the rule in words."""
    numbers = found.numbers
    largest, top = numbers.max(initial=0), _top(numbers, lossy)
    half = top // 2 if numbers.dtype.kind in "ubi" else top / 2
    if not lossy and found.stored and len(found.values) == 2 and largest <= half and numbers.min() == 0:
        array = (numbers == 0) if inverted else (numbers > 0)
        return array, f"0 and {largest} alone: {'0' if inverted else 'above 0'} is foreground"
    array = (numbers <= half) if inverted else (numbers > half)
    side, value = ("not above", 0) if inverted else ("above", 1)
    rule = f"{value} is foreground" if half == 0 else f"{side} {half} is foreground"
    if numbers.size and numbers.min() == largest:
        rule = f"constant {largest}: all {'foreground' if array.all() else 'background'}"
    elif largest <= half:
        rule += f"; {'all' if inverted else 'nothing'} is, the largest value being {largest}"
    return array, rule


def _top(numbers: NDArray[Any], lossy: bool) -> int:
    """Return the end of the range of a mask's numbers."""
    largest = numbers.max(initial=0)
    return next((t for t in ((255, 65535) if lossy else (1, 255, 65535)) if largest <= t), int(np.ceil(largest)))


def _between(numbers: NDArray[Any], lossy: bool) -> float:
    """Return the share of pixels from 10 to 90 % of the range."""
    top, middle = _top(numbers, lossy), 0
    for rows in bands(*numbers.shape):
        middle += int(np.count_nonzero((numbers[rows] > 0.1 * top) & (numbers[rows] < 0.9 * top)))
    return middle / max(1, numbers.size)


def _spelt_counts(found: Levels) -> dict[int | str, int]:
    """Return the pixels of each stored value, as it is spelt in the config."""
    pairs = zip(found.values.tolist(), found.counts.tolist(), strict=True)
    return {f"#{value:06x}" if found.stored == "colour" else int(value): count for value, count in pairs}


class LabelFile(NamedTuple):
    """The values of a label file."""

    array: NDArray[Any]  # (H, W), whole numbers
    mode: str  # format and Pillow mode of the file
    palette: Mapping[int, str]  # colour of each value that is an index; see `palettes.colours_in_use`


def read_labels(path: str | Path) -> LabelFile:
    """Return the values of a label file.

    Palette files give their indices, never their colours; a GIF with a grey palette, and grey files, their grey values;
    colours that are grey, and an alpha that is the same all over, are what programs make of a grey file.

    Raises:
        StudyError: the file cannot be read.
        NoClassValues: it holds colours, fractions or a varying alpha instead of values.
    """
    pixels, *kind, _ = mask_file(path)
    array, palette = np.asarray(pixels), colours_in_use(pixels)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    mode, why = pixels.mode, ""
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        alpha = array[..., -1]
        array, why = array[..., :-1], "" if alpha.min() == alpha.max() else ": its transparency varies"
    if array.ndim == 3 and not why and (array == array[..., :1]).all():
        array = array[..., 0]
    if array.dtype.kind == "f" and (array == np.floor(array)).all():  # not of NaN; infinite ones are refused below
        array = checked(array, path).astype(np.int64)
    if array.ndim == 3 or array.dtype.kind == "f":
        raise NoClassValues(
            f"a picture of mode {mode} holds no class values{why}",
            where=path,
            allowed="palette or grey files",
            remedy="use the original label file (converting palette files to RGB destroys the values), or name colours "
            "instead of values: under the data set's classes, for instance window: '#ff0000', or with ignore",
        )
    _not_negative(array, path)
    return LabelFile(array, " ".join(kind).rstrip(": "), palette)


def _not_negative(array: NDArray[Any], path: str | Path) -> None:
    """Raise where a mask holds numbers below 0, as some tools write what counts for nothing, or none at all."""
    if checked(array, path, negative=True).min(initial=0) < 0:
        raise StudyError(
            f"the mask holds negative values, down to {array.min()}; void is 255 in files that can be read",
            where=path,
            remedy="write what counts for nothing as 255, and 'ignore: 255' in the data set's block",
        )


def read_colours(path: str | Path) -> tuple[NDArray[np.uint32], str]:
    """Return the colour of every pixel as 0xRRGGBB (H, W), and format and mode of the file; alpha is dropped.

    Raises:
        StudyError: the file cannot be read.
    """
    pixels, *kind, _ = mask_file(path)
    packed = np.empty((pixels.height, pixels.width), np.uint32)
    for rows in bands(*packed.shape):
        band = pixels.crop((0, rows.start, pixels.width, rows.stop)).convert("RGB")
        red, green, blue = np.moveaxis(np.asarray(band).astype(np.uint32), 2, 0)
        packed[rows] = red * np.uint32(0x10000) + green * np.uint32(0x100) + blue
    return packed, " ".join(kind).rstrip(": ")
