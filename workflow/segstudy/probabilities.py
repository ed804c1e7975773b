"""Probability maps on disk: 16-bit grey PNG at the original size of the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from segstudy.errors import StudyError

STEPS = 65535  # of a 16-bit probability


def write_probability(path: Path, probability: np.ndarray) -> None:
    """Write float (H, W) in 0..1 as a 16-bit grey PNG: round(p * 65535)."""
    levels = np.rint(probability.astype(np.float64) * STEPS).astype(np.uint16)
    Image.fromarray(levels).save(path, compress_level=1)


def read_probability(path: Path) -> np.ndarray:
    """Return float32 (H, W) in 0..1 of a 16-bit grey PNG.

    Raises:
        StudyError: if the file is not one.
    """
    with Image.open(path) as image:
        levels = np.asarray(image)
    if levels.dtype != np.uint16 or levels.ndim != 2:
        raise StudyError(
            f"not a probability map: {levels.dtype} of shape {levels.shape}",
            where=path,
            allowed="16-bit grey PNG, value / 65535",
            remedy="run the cell's 'predict' again",
        )
    return levels.astype(np.float32) / np.float32(STEPS)
