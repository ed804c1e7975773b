"""Find copies that fit no other image in any of the eight positions: cropped, or turned by a few degrees.

Three steps, from cheap to dear. Every picture of the smaller side is coded, as small and blurred, in eight positions,
each moved in 19 ways, and compared with all codes of the other side; for the `NEAREST` of each, the exact movement is
sought by registration, first on the blurred, then on the full thumbnails; what then correlates is the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segstudy.core.progress import track
from segstudy.data.images.registration import Map, aligned, correlation, sampling_matrix, turned_and_scaled
from segstudy.data.images.thumbnails import SIDE, Pictures, in_common, locally_normalised, positions, smoothed, unit

THRESHOLD = 0.75  # distinct real images stayed below 0.69, copies cropped by 5 % or turned by 5 degrees above 0.78
NEAREST = 2  # candidates of an image in another subset
FAINT = 0.2  # likeness of codes below which nothing is registered
HOPELESS = 0.4, 0.6  # correlations of blurred thumbnails, after 4 and after 10 steps, below which two pictures differ
MEDIUM, SMALL = SIDE // 2, SIDE // 4  # pixels along a blurred thumbnail, and along what is coded
CODE = 64  # numbers in a code
BLOCK, WIDE = 64, 256  # pictures coded in all their movements at once, and codes they are compared with: bounds memory
BATCH = 1024

Rows = NDArray[np.intp]


class Prepared(NamedTuple):
    """What is compared of N images."""

    fine: Pictures  # (N, 64, 64)
    blurred: Pictures  # (N, 32, 32)
    common: Pictures  # (16, 16): what the images share
    axes: Pictures  # (256, <= 64): the directions in which they differ most
    codes: Pictures  # (N, <= 64)


def moved_copies(
    thumbnails: NDArray[np.floating], sides: Iterable[tuple[Rows, Rows]], threshold: float = THRESHOLD
) -> Iterator[tuple[int, int, float]]:
    """Yield (row, row, correlation) of pictures that are the same once one is moved a little.

    Args:
        thumbnails: (N, 64, 64), `thumbnails.thumbnail` of each image.
        sides: rows that are compared with rows; those of the first are moved, so it should be the smaller.
        threshold: of the correlation.
    """
    prepared = prepare(thumbnails)
    work = [(few[at : at + BLOCK], many) for few, many in sides for at in range(0, len(few), BLOCK)]
    for few, many in track(work, "moved copies"):
        for a, b, movement in _candidates(prepared, few, many):
            score = _registered(prepared, a, b, movement, threshold)
            if score >= threshold:
                yield a, b, score


def prepare(thumbnails: NDArray[np.floating]) -> Prepared:
    """Return what is compared of (N, 64, 64) thumbnails."""
    fine = np.empty(thumbnails.shape, dtype=np.float32)
    blurred = np.empty((len(fine), MEDIUM, MEDIUM), dtype=np.float32)
    for at in range(0, len(fine), BATCH):
        block = np.asarray(thumbnails[at : at + BATCH], dtype=np.float32)
        fine[at : at + BATCH] = locally_normalised(block, 2.0)
        blurred[at : at + BATCH] = _halved(smoothed(locally_normalised(block, 3.0), 1.0))
    small = _halved(blurred)
    common = in_common(small)
    rows = unit((small - common).reshape(len(small), -1))
    rows[~small.any(axis=(1, 2))] = 0  # blank pictures are like nothing
    _, axes = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    axes = np.ascontiguousarray(axes[:, ::-1][:, :CODE], dtype=np.float32)
    return Prepared(fine, blurred, common, axes, rows @ axes)


def _halved(stack: Pictures) -> Pictures:
    count, side, _ = stack.shape
    return stack.reshape(count, side // 2, 2, side // 2, 2).mean(axis=(2, 4))


@cache
def movements() -> tuple[Map, ...]:
    """Return the small movements from which a registration starts: scales, turns, and crops at each corner.

    They are this dense that one of them leaves no place of a picture cropped by 5 %, or turned by 8 degrees, off by
    more than the blur of what is coded.
    """
    found = [turned_and_scaled(0, scale) for scale in (0.9, 0.95, 1, 1 / 0.95, 1 / 0.9)]
    found += [turned_and_scaled(degrees, scale) for degrees in (-6, 6) for scale in (0.9, 1, 1 / 0.9)]
    crop = 0.06  # of a side, off two edges that meet
    for row in (-crop, crop):
        for column in (-crop, crop):
            found.append(turned_and_scaled(0, 1 - crop, row, column))
            found.append(np.linalg.inv(found[-1]).astype(np.float64))
    return tuple(found)


@cache
def _moving() -> list[tuple[Pictures, Pictures]]:
    """Return for each movement what takes a blurred thumbnail to the moved small one.

    Moving is linear: a matrix (256, 1024), and (256,) the share of each small pixel that the picture covers.
    """
    found = []
    for movement in movements():
        matrix, inside = sampling_matrix(MEDIUM, movement)
        halved = _halved(matrix.T.reshape(-1, MEDIUM, MEDIUM)).reshape(len(matrix), -1).T
        found.append((np.ascontiguousarray(halved), _halved(inside[None].astype(np.float32)).ravel()))
    return found


def _moved_codes(prepared: Prepared, rows: Rows) -> Pictures:
    """Return the codes of pictures in all positions and movements: (8 * movements, rows, code)."""
    codes = []
    for position in positions(prepared.blurred[rows]):
        flat = position.reshape(len(rows), -1).T
        for matrix, covered in _moving():
            small = (matrix @ flat).T - covered * prepared.common.ravel()
            codes.append(unit(small) @ prepared.axes)
    return np.stack(codes)


def _candidates(prepared: Prepared, few: Rows, many: Rows) -> Iterator[tuple[int, int, int]]:
    """Yield (row of few, row of many, movement) of the pairs worth registering."""
    codes = _moved_codes(prepared, few)
    likeness = np.full((len(few), 0), 0, dtype=np.float32)
    nearest = np.zeros((len(few), 0), dtype=np.intp)
    for at in range(0, len(many), WIDE):
        block = many[at : at + WIDE]
        scores = (codes.reshape(-1, codes.shape[2]) @ prepared.codes[block].T).reshape(*codes.shape[:2], -1).max(axis=0)
        likeness = np.concatenate([likeness, scores], axis=1)
        nearest = np.concatenate([nearest, np.broadcast_to(block, scores.shape)], axis=1)
        best = np.argsort(-likeness, axis=1, kind="stable")[:, :NEAREST]
        likeness, nearest = np.take_along_axis(likeness, best, 1), np.take_along_axis(nearest, best, 1)
    for row, column in np.argwhere(likeness >= FAINT):
        other = int(nearest[row, column])
        yield int(few[row]), other, int(np.argmax(codes[:, row] @ prepared.codes[other]))


def _registered(prepared: Prepared, moved: int, still: int, movement: int, threshold: float) -> float:
    """Return the correlation of two pictures in register; that of the blurred ones where it shows they differ."""
    position, start = divmod(movement, len(movements()))

    def placed(stack: Pictures) -> Pictures:
        return np.ascontiguousarray(next(p for n, p in enumerate(positions(stack[moved][None])) if n == position)[0])

    blurred, fine = placed(prepared.blurred), placed(prepared.fine)
    place = movements()[start]
    for steps, least in zip((4, 6), HOPELESS, strict=True):
        place = aligned(prepared.blurred[still], blurred, place, steps)
        score = correlation(prepared.blurred[still], blurred, place)
        if score < min(least, threshold):
            return score
    return correlation(prepared.fine[still], fine, aligned(prepared.fine[still], fine, place, steps=8))
