"""Look at the shapes that the values of masks have: outlines that count for nothing, and objects with a number each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segstudy.data.images.read import files_of
from segstudy.data.images.read_masks import NoClassValues, number, read_colours, read_labels

LOOKED_AT = 12  # masks
THIN = 0.02  # half of the width of an outline, in parts of the shorter side: VOC's is 5 of 375 pixels wide
PIXELS = 3  # at least so many
THICK = 0.25  # share of the void that may be thicker: VOC has whole objects that are difficult
ENCLOSED = 0.75  # share of the objects' edges at which the outline lies
ONE_PIECE = 0.8  # share of the values that are one piece each, in masks that number their objects
LEAST = 0.5  # in each of the masks


def is_outline(paths: Iterable[Path], value: str) -> bool:
    """Return whether the pixels of a value are thin, and lie around the objects: nearly always where one looks.

    Args:
        paths: masks that hold the value and others; the first `LOOKED_AT` are looked at.
        value: as it is spelt in the config; 0 is background.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    thick = total = at_void = at_background = 0
    for array in _read(paths, value.startswith("#")):
        void, background = array == (number(value) if value.startswith("#") else int(value)), array == 0
        half = max(PIXELS, round(THIN * min(array.shape)))
        thick += int(minimum_filter(void, 2 * half + 1).sum())
        total += int(void.sum())
        objects = ~void & ~background
        at_void += int((objects & maximum_filter(void, 3)).sum())
        at_background += int((objects & maximum_filter(background, 3)).sum())
    return total > 0 and thick <= THICK * total and at_void >= ENCLOSED * max(1, at_void + at_background)


def are_numbers(paths: Iterable[Path], colours: bool) -> bool:
    """Return whether nearly every value but 0 is one piece in each of the masks, as numbers of objects are.

    Classes lie in several pieces, and the greys of soft edges in very many.

    Args:
        paths: masks of several values; the first `LOOKED_AT` are looked at.
        colours: whether the values are colours.
    """
    try:
        shares = [_one_piece(array) for array in _read(paths, colours)]
    except NoClassValues:  # colours, or a varying alpha, beside values
        return False
    return bool(shares) and min(shares) >= LEAST and float(np.mean(shares)) >= ONE_PIECE


def _one_piece(array: NDArray[Any]) -> float:
    """Return the share of the values above 0 whose pixels touch each other."""
    from scipy.ndimage import find_objects, label

    values, places = np.unique(array, return_inverse=True)
    places = places.reshape(array.shape) + 1
    whole = [
        label(places[box] == place, np.ones((3, 3)))[1] == 1
        for place, box in enumerate(find_objects(places), 1)
        if box is not None and values[place - 1] != 0
    ]
    return float(np.mean(whole)) if whole else 1.0


def _read(paths: Iterable[Path], colours: bool) -> Iterable[NDArray[Any]]:
    """Yield values or colours, (H, W), of the first files; of several that are one mask, those of each."""
    files = (file for path in paths for file in files_of(path))
    for file, _ in zip(files, range(LOOKED_AT), strict=False):
        yield read_colours(file)[0] if colours else read_labels(file)[0]
