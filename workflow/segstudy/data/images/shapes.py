"""Masks of the shapes in annotation files: polygons, ellipses, boxes and run lengths.

x runs to the right and y downwards, in pixels; (0, 0) is the corner of the image, (0.5, 0.5) the centre of its first
pixel. Outlines are filled as COCO does it (`rleFrPoly` of pycocotools): a pixel belongs to a polygon that covers its
centre, so that a box from (2, 3) to (5, 7) is columns 2 to 4 of rows 3 to 6. Shapes are kept as COCO's compressed run
lengths, which take a few bytes each, until they are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segstudy.core import pixel_limit
from segstudy.core.errors import StudyError
from segstudy.data.images.decode import BYTES, TooLarge

VOID = 255  # value of pixels that count for nothing, in masks that are drawn here
MOST_VALUES = VOID - 1  # classes that a drawn mask can hold

Size = tuple[int, int]  # height, width
Rle = dict[str, Any]  # COCO's: {"size": [height, width], "counts": bytes}
Point = tuple[float, float]  # x, y


class Drawn(NamedTuple):
    """A mask made of shapes."""

    array: NDArray[np.uint8]  # (H, W): values of the shapes, 0 where there is none
    overlap: float  # share of the pixels that shapes of different values cover
    lost: int = 0  # shapes that cover the centre of no pixel
    lines: int = 0  # points, lines and other shapes of the file that are no areas

    @property
    def blank(self) -> bool:
        """Whether there are shapes, and nothing of them in the mask."""
        return bool(self.lost or self.lines) and not self.array.any()


def polygons(rings: Sequence[Sequence[Point]], size: Size) -> Rle:
    """Return the union of polygons.

    Raises:
        StudyError: a polygon has fewer than three points or lies outside the image, or all lie within its first pixel.
    """
    height, width = size
    for ring in rings:
        if len(ring) < 3:
            raise StudyError(f"a polygon of {len(ring)} points", allowed="three points at least")
        if not all(math.isfinite(value) for point in ring for value in point):
            raise StudyError("a polygon with coordinates that are no numbers")
        (left, right), (top, bottom) = ((min(part), max(part)) for part in zip(*ring, strict=True))
        outside = right <= 0 or bottom <= 0 or left >= width or top >= height
        far = left < -width or top < -height or right > 2 * width or bottom > 2 * height
        if outside or far:
            raise StudyError(
                f"a polygon lies outside the image: x {left:g} to {right:g}, y {top:g} to {bottom:g}, "
                f"the image is {width}x{height}",
                remedy="the annotation may belong to another image, or be in other units than pixels",
            )
    if not rings:
        return blank(size)
    _check_shares(rings, size)
    flat = [[float(value) for point in ring for value in point] for ring in rings]
    coco = library()
    union: Rle = coco.merge(coco.frPyObjects(flat, height, width))
    return union


def _check_shares(rings: Sequence[Sequence[Point]], size: Size) -> None:
    """Refuse coordinates from 0 to 1, which draw one pixel at most. A whole pixel, 0 and 1 alone, is one."""
    values = [value for ring in rings for point in ring for value in point]
    if max(size) > 1 and min(values) >= 0 and max(values) <= 1 and not set(values) <= {0, 1}:
        raise StudyError(
            f"a polygon within the first pixel of {size[1]}x{size[0]}: x and y seem to be shares, from 0 to 1",
            remedy="multiply x by the width and y by the height, or export the annotations in pixels",
        )


def box(left: float, top: float, right: float, bottom: float, size: Size, degrees: float = 0) -> Rle:
    """Return a box, turned clockwise about its centre."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return polygons([turned(corners, ((left + right) / 2, (top + bottom) / 2), degrees)], size)


def ellipse(centre: Point, radii: Point, size: Size, degrees: float = 0) -> Rle:
    """Return an ellipse with radii in x and y, turned clockwise about its centre; drawn as a polygon of 360 points."""
    angles = np.linspace(0, 2 * math.pi, 360, endpoint=False)
    outline = [(centre[0] + radii[0] * math.cos(a), centre[1] + radii[1] * math.sin(a)) for a in angles]
    return polygons([turned(outline, centre, degrees)], size)


def run_lengths(counts: Sequence[int] | str | bytes, given: Sequence[int], size: Size) -> Rle:
    """Return COCO's run lengths, as a list of counts (down the columns, zeros first) or compressed.

    Raises:
        StudyError: they are those of a mask of another size (`given`), or do not add up to one.
    """
    if list(given) != list(size):
        raise StudyError(
            f"run lengths of a mask of {list(given)} (height, width), the image is {list(size)}",
            remedy="mend 'size' of the annotation, or height and width of the image",
        )
    coco, wanted = library(), size[0] * size[1]
    if isinstance(counts, str | bytes):
        rle = {"size": list(size), "counts": counts.encode() if isinstance(counts, str) else counts}
        try:
            whole = coco.decode(rle).size == wanted
        except (ValueError, TypeError) as error:
            raise StudyError(f"run lengths that cannot be read: {error}") from None
        if not whole:
            raise StudyError("run lengths that do not add up to a mask")
        return rle
    if min(counts, default=0) < 0 or sum(counts) != wanted:
        raise StudyError(f"run lengths add up to {sum(counts)} pixels, the image has {wanted}")
    union: Rle = coco.frPyObjects({"size": list(size), "counts": list(counts)}, *size)
    return union


def array(mask: NDArray[np.bool_]) -> Rle:
    """Return the run lengths of a mask (H, W)."""
    encoded: Rle = library().encode(np.asfortranarray(mask.astype(np.uint8)))
    return encoded


def part(mask: NDArray[np.bool_], left: int, top: int, size: Size) -> Rle:
    """Return a mask of a part of the image whose upper left pixel is (`left`, `top`).

    Raises:
        StudyError: it reaches over the edge of the image.
    """
    height, width = mask.shape
    if left < 0 or top < 0 or top + height > size[0] or left + width > size[1]:
        raise StudyError(
            f"a mask of {width}x{height} pixels at ({left}, {top}) reaches over the edge of the image, which is "
            f"{size[1]}x{size[0]}"
        )
    whole = np.zeros(size, bool)
    whole[top : top + height, left : left + width] = mask
    return array(whole)


def blank(size: Size) -> Rle:
    """Return the run lengths of an empty mask."""
    return array(np.zeros(size, bool))


def area(rle: Rle) -> int:
    """Return the number of pixels of a shape."""
    return int(library().area(rle))


def draw(shapes: Iterable[tuple[int, Rle]], size: Size) -> Drawn:
    """Draw shapes of given values one upon the other: later ones cover earlier ones; `VOID` shapes lie below all.

    Raises:
        TooLarge: the image has more pixels than are allowed.
    """
    check_size(size)
    coco, shapes, lost = library(), list(shapes), 0
    mask, covered = np.zeros(size, np.uint8), np.zeros(size, bool)
    for value, rle in sorted(shapes, key=lambda shape: shape[0] != VOID):  # stable: the others stay in their order
        inside = coco.decode(rle).astype(bool)
        lost += not inside.any()
        covered |= inside & (mask != 0) & (mask != value) & (mask != VOID)
        mask[inside] = value
    return Drawn(mask, float(covered.mean()) if covered.size else 0.0, lost)


def check_size(size: Size) -> None:
    """Compare the size of a mask that is to be drawn with the limit.

    Raises:
        TooLarge: it has more pixels.
        StudyError: it has none.
    """
    height, width = size
    megapixels, limit = height * width / 1e6, pixel_limit.current()
    if height < 1 or width < 1:
        raise StudyError(f"an image of {width}x{height} pixels", allowed="1x1 and more")
    if megapixels > limit.megapixels:
        raise TooLarge(
            f"the annotation is of a picture of {megapixels:.4g} megapixels ({width}x{height}); {limit.key} allows "
            f"{limit.megapixels:g}",
            remedy=f"mend height and width in the annotation, or raise {limit.key}; the picture then takes about "
            f"{megapixels * BYTES / 1000:.2g} GB of memory while it is read",
        )


def turned(points: Sequence[Point], centre: Point, degrees: float) -> list[Point]:
    """Return points turned clockwise about `centre`."""
    if not degrees:
        return list(points)
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    moved = ((x - centre[0], y - centre[1]) for x, y in points)
    return [(centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine) for x, y in moved]


def library() -> ModuleType:
    """Return the module of pycocotools that draws.

    Raises:
        StudyError: it is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError:
        raise StudyError(
            "shapes of annotation files are drawn with pycocotools, which is not installed",
            remedy="install the extra that brings it: pip install -c constraints.txt -e '.[formats]'",
        ) from None
    module: ModuleType = mask
    return module
