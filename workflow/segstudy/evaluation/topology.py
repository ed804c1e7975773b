"""Topology of a mask: its objects, its holes and its centre line.

Small errors of pixels can be large errors of objects: a vessel cut by two pixels is two vessels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from segstudy.evaluation.skeletonize import thinned


class Pieces(NamedTuple):
    """Betti numbers of a mask: its foreground is connected over edges and corners, its background over edges."""

    objects: int  # b0: connected pieces of foreground
    holes: int  # b1: connected pieces of background that do not reach the edge


def pieces(mask: np.ndarray) -> Pieces:
    """Count objects and holes of a mask, bool (H, W); what lies outside it is background."""
    from scipy.ndimage import label

    objects = label(mask, np.ones((3, 3)))[1]
    return Pieces(objects, objects - _euler_number(mask))


def centre_line(mask: np.ndarray) -> np.ndarray:
    """Return the skeleton of a mask, bool (H, W): a tenth to a quarter of a second for 4 million pixels."""
    line = np.zeros_like(mask)
    if mask.any():
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        line[box] = thinned(mask[box])
    return line


def _euler_number(mask: np.ndarray) -> int:
    """Return objects - holes, from the 2x2 squares of a mask alone (Gray 1971, doi:10.1109/T-C.1971.223289)."""
    rows, columns = mask.shape
    framed = np.zeros((rows + 2, columns + 2), np.uint8)
    framed[1:-1, 1:-1] = mask
    across = framed[:, :-1] + 2 * framed[:, 1:]
    squares = np.bincount((across[:-1] + 4 * across[1:]).ravel(), minlength=16)
    one, three, diagonal = squares[[1, 2, 4, 8]].sum(), squares[[7, 11, 13, 14]].sum(), squares[[6, 9]].sum()
    return int(one - three - 2 * diagonal) // 4
