"""Predictions on disk, at the original size of the image: probability maps, and masks of several classes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from segstudy.core import checksums
from segstudy.core.errors import StudyError
from segstudy.data.images.decode import bands, check_pixels
from segstudy.data.images.label_map import Colour

STEPS = 65535  # of a 16-bit probability


def write_probability(path: Path, probability: np.ndarray) -> None:
    """Write float (H, W) in 0..1 as a 16-bit grey PNG: round(p * 65535)."""
    levels = np.empty(probability.shape, np.uint16)
    for rows in bands(*probability.shape):
        levels[rows] = np.rint(probability[rows].astype(np.float64) * STEPS)
    Image.fromarray(levels).save(path, compress_level=1)


def read_probability(path: Path) -> np.ndarray:
    """Return float32 (H, W) in 0..1 of a 16-bit grey PNG.

    Raises:
        StudyError: if the file is missing, cannot be read, or is not one.
    """
    _, levels = _read(path)
    if levels.dtype != np.uint16 or levels.ndim != 2:
        raise StudyError(
            f"not a probability map: {levels.dtype} of shape {levels.shape}",
            where=path,
            allowed="16-bit grey PNG, value / 65535",
            remedy="run the cell's 'predict' again",
        )
    return levels.astype(np.float32) / np.float32(STEPS)


def _read(path: Path) -> tuple[str, np.ndarray]:
    """Return mode and pixels of a picture, compared with the sum of its folder where it has one.

    Raises:
        StudyError: it is no picture, or only the beginning of one.
    """
    try:
        with Image.open(io.BytesIO(checksums.content(path)), formats=("PNG",)) as image:
            check_pixels(image.width, image.height, path)
            return image.mode, np.array(image)
    except FileNotFoundError:
        raise checksums.damaged(path, "the file is not there") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow's ways of saying so
        if isinstance(error, PermissionError):
            raise
        raise checksums.damaged(path, f"it is no picture, or not the whole of one ({error})") from None


def write_classes(path: Path, ids: np.ndarray, colours: Sequence[Colour]) -> None:
    """Write class ids uint8 (H, W) as a palette PNG: the values are the ids, the colours those of the classes."""
    image = Image.fromarray(ids)  # mode L; a palette makes it P, its values untouched
    image.putpalette([channel for colour in colours for channel in colour])
    image.save(path, compress_level=1)


def read_classes(path: Path, classes: int) -> np.ndarray:
    """Return the class ids, uint8 (H, W), of a palette PNG; `classes` counts the background.

    Raises:
        StudyError: if the file is not one, or holds another id.
    """
    mode, ids = _read(path)
    largest = int(ids.max(initial=0))
    if mode != "P" or largest >= classes:
        raise StudyError(
            f"not a mask of {classes} classes: mode {mode}, values up to {largest}",
            where=path,
            allowed=f"palette PNG, values 0 to {classes - 1}",
            remedy="run the cell's 'predict' again",
        )
    return ids
