"""Bring one small picture into line with another: turned a little, cropped, shifted, scaled or sheared.

Gauss-Newton on the six numbers of an affine map, inverse compositional: S. Baker and I. Matthews, "Lucas-Kanade 20
years on: a unifying framework", IJCV 56, 2004. Both pictures are brought to mean 0 and equal contrast where they
overlap, so that what grows is their correlation.

Places are (row, column, 1) from the centre of a picture, in units of half its side: a map found on a small version
holds for the large one.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Map = NDArray[np.float64]  # (3, 3): a place in the first picture to its place in the second

LEAST_OVERLAP = 0.6  # share of the first picture that the second has to cover
STILL = 0.02  # pixels: a step that moves no place by more is the last
RIDGE = 1e-3  # keeps flat pictures from taking wild steps


def turned_and_scaled(degrees: float, scale: float, row: float = 0.0, column: float = 0.0) -> Map:
    """Return the map that turns and scales about the centre, then shifts by (row, column) half sides."""
    angle = np.deg2rad(degrees)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cosine, -sine, row], [sine, cosine, column], [0.0, 0.0, 1.0]])


def sampled(picture: Picture, place: Map) -> tuple[Picture, NDArray[np.bool_]]:
    """Return what `picture` (S, S) holds at `place` of each pixel, bilinear, and where that lies inside it."""
    from scipy.ndimage import affine_transform

    side = len(picture)
    moved = affine_transform(picture, place[:2, :2], _offset(side, place), order=1, mode="nearest")
    return moved, _inside(_sources(side, place), side)


def sampling_matrix(side: int, place: Map) -> tuple[Picture, NDArray[np.bool_]]:
    """Return `sampled` of pictures (S, S) as a matrix (S * S, S * S), rows outside the picture 0; and what is inside.

    A row holds the four bilinear weights of its pixel.
    """
    places = _sources(side, place)
    inside = _inside(places, side)
    rows, columns = np.clip(places, 0, side - 1)
    up, left = (np.minimum(values.astype(int), side - 2) for values in (rows, columns))
    down, right = rows - up, columns - left
    matrix = np.zeros((side * side, side * side), dtype=np.float32)
    pixels = np.arange(side * side).reshape(side, side)
    for row, of_row in ((up, 1 - down), (up + 1, down)):
        for column, of_column in ((left, 1 - right), (left + 1, right)):
            matrix[pixels, row * side + column] = of_row * of_column * inside
    return matrix, inside


def _offset(side: int, place: Map) -> NDArray[np.float64]:
    half, centre = side / 2, (side - 1) / 2
    return np.asarray(half * place[:2, 2] + centre - place[:2, :2].sum(axis=1) * centre)


def _sources(side: int, place: Map) -> NDArray[np.float64]:
    """Return row and column in the second picture of each pixel of the first: (2, S, S)."""
    steps, offset = np.arange(side), _offset(side, place)
    return np.stack([np.add.outer(place[axis, 0] * steps + offset[axis], place[axis, 1] * steps) for axis in (0, 1)])


def _inside(places: NDArray[np.float64], side: int) -> NDArray[np.bool_]:
    return np.asarray(((places >= 0) & (places <= side - 1)).all(axis=0))


def aligned(first: Picture, second: Picture, start: Map, steps: int) -> Map:
    """Return the map under which `second` is most like `first`, searched from `start` in at most `steps` steps.

    Only differences of about the size of the pictures' smallest structures are found from one start.
    """
    place = start
    slopes = _slopes(first).reshape(6, -1)
    for _ in range(steps):
        moved, inside = sampled(second, place)
        if inside.mean() < LEAST_OVERLAP:
            break
        within = inside.ravel().astype(np.float32)  # products with it are cheaper than picking pixels
        covered = within.sum()
        target, now = first.ravel() * within, moved.ravel() * within
        target -= within * (target.sum() / covered)
        now -= within * (now.sum() / covered)
        now *= np.linalg.norm(target) / max(float(np.linalg.norm(now)), 1e-6)
        slope = slopes * within
        normal = (slope @ slopes.T).astype(np.float64)
        normal[np.diag_indices(6)] += RIDGE * np.trace(normal) / 6 + 1e-9
        step = np.linalg.solve(normal, (slope @ (now - target)).astype(np.float64))
        change = np.eye(3)
        change[:2] += step.reshape(2, 3)
        if abs(np.linalg.det(change)) < 0.1:
            break
        place = place @ np.linalg.inv(change)
        if np.abs(step).max() * len(first) / 2 < STILL:
            break
    return place


def correlation(first: Picture, second: Picture, place: Map) -> float:
    """Return the correlation of `first` with `second` brought to it, over the disc of the first that both hold.

    The disc, because the corners of a turned copy hold no picture. 0 where less than `LEAST_OVERLAP` of it is held.
    """
    moved, inside = sampled(second, place)
    disc = _disc(len(first))
    both = inside & disc
    if both.sum() < LEAST_OVERLAP * disc.sum():
        return 0.0
    a, b = first[both] - first[both].mean(), moved[both] - moved[both].mean()
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-6))


def _slopes(picture: Picture) -> Picture:
    """Return how each pixel of (S, S) changes with each of the six numbers of the map: (6, S, S)."""
    down, across = np.gradient(picture)
    rows, columns = _places(len(picture))
    half = np.float32(len(picture) / 2)
    return half * np.stack([down * rows, down * columns, down, across * rows, across * columns, across])


@cache
def _places(side: int) -> tuple[Picture, Picture]:
    along = ((np.arange(side) - (side - 1) / 2) / (side / 2)).astype(np.float32)
    return np.repeat(along[:, None], side, axis=1), np.repeat(along[None], side, axis=0)


@cache
def _disc(side: int) -> NDArray[np.bool_]:
    rows, columns = _places(side)
    return rows**2 + columns**2 <= 0.95**2
