"""Turn pictures upright by their orientation tag, and masks back to the stored orientation.

`segstudy.data.images.read` takes pixels as they are stored. A camera held on its side stores a photograph lying down,
with a note (the orientation of EXIF and TIFF) that every viewer obeys; a network that learned from upright pictures
should see it upright as well.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segstudy.data.images.decode import ORIENTATION, opened
from segstudy.data.images.deep import by_tifffile, tiff_orientation


def orientation_of(path: str | Path) -> int:
    """Return the orientation that a file notes, 1 to 8; 1, as it is stored, where it notes none."""
    if by_tifffile(path):
        noted = tiff_orientation(path)
    else:
        with opened(path) as image:
            noted = image.getexif().get(ORIENTATION, 1)
    return noted if noted in range(1, 9) else 1


def turned_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return stored pixels (H, W, ...) as a viewer shows them."""
    if orientation in (6, 8):  # the camera was turned by a quarter
        return np.rot90(array, -1 if orientation == 6 else 1)
    mirrored = array[::-1] if orientation in (3, 4, 7) else array
    mirrored = mirrored[:, ::-1] if orientation in (2, 3, 7) else mirrored
    return mirrored.swapaxes(0, 1) if orientation in (5, 7) else mirrored


def as_noted(array: np.ndarray, path: str | Path, upright: bool) -> np.ndarray:
    """Return stored pixels (H, W, ...) of a file turned as it notes; as they are unless `upright`."""
    return np.ascontiguousarray(turned_upright(array, orientation_of(path))) if upright else array


def turned_back(array: np.ndarray, orientation: int) -> np.ndarray:
    """Undo `turned_upright`: a mask of the upright picture becomes a mask of the stored pixels."""
    return turned_upright(array, {6: 8, 8: 6}.get(orientation, orientation))


def note_orientation(path: Path, orientation: int) -> None:
    """Write the note into a PNG file: a viewer then shows the mask as it shows the photograph."""
    with opened(path) as image:
        image.load()
        exif = image.getexif()
        exif[ORIENTATION] = orientation
        image.save(path, exif=exif, compress_level=1)
