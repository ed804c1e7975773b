"""Tell folders that hold other images of the same names from those that hold one data set in two formats."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from segstudy.core.errors import StudyError
from segstudy.data.images.read import read_image
from segstudy.data.readers.discovery import pictures

SAME = 4.0  # grey levels by which two pictures differ on average that are one in two formats


def copies(root: Path, folders: Iterable[str], shared: bool = False) -> bool:
    """Return whether pictures of one name in two folders below `root` are one picture, or would share a mask."""
    seen: dict[str, Path] = {}
    for folder in folders:
        for path in pictures(root / folder):
            if path.stem in seen:
                return shared or _same(seen[path.stem], path)
            seen[path.stem] = path
    return False


def _same(one: Path, other: Path) -> bool:
    try:
        first, second = (read_image(path).astype(np.float64) for path in (one, other))
    except StudyError:
        return False
    return first.shape == second.shape and float(np.abs(first - second).mean()) <= SAME
