"""LabelMe: one JSON file for each image, with the outlines of its objects; github.com/wkentaro/labelme."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.images import shapes
from segstudy.data.images.encoded import from_base64, values_of
from segstudy.data.images.label_map import binary
from segstudy.data.images.shapes import Drawn, Rle, Size
from segstudy.data.readers.annotation_files import (
    Block,
    Sample,
    annotation_files,
    any_file,
    looks_like,
    numbered_classes,
    parse_json,
    subset_in,
)
from segstudy.data.readers.converted import index  # noqa: F401
from segstudy.data.readers.discovery import relative
from segstudy.data.readers.named_pictures import Pictures, size_in

TITLE = "LabelMe annotations"
LABELS = binary("foreground")
TASK = "segment the annotated objects"
SOURCE = "own data, annotated with LabelMe"
LAYOUT = "<sample>.json beside <sample>.jpg, or in other folders below the root; folders train, val, test are subsets"

BACKGROUND = "_background_"  # LabelMe's own names
VOID = ("__ignore__", "_ignore_")


class _Shape(Block):
    label: str
    points: tuple[tuple[float, float], ...] = ()
    shape_type: str = "polygon"
    mask: str | None = None  # PNG in base64, of the box that the points span


class _File(Block):
    shapes: list[_Shape]
    imagePath: str
    imageData: str | None = None
    imageHeight: int | None = None
    imageWidth: int | None = None


class _Label(Block):
    label: str


class _Labels(Block):
    shapes: list[_Label]


def recognises(root: Path) -> bool:
    """Return whether `root` holds a JSON file that looks like LabelMe's."""
    return any_file(root, ".json", _looks)


def classes(root: Path, layout: Layout) -> dict[str, int]:
    """Return {label: its value in the masks}: 1 and on, in alphabetical order.

    Raises:
        StudyError: a file cannot be read.
    """
    files = [parse_json(path, _Labels, "LabelMe") for path in _files(root, layout)]
    names = {shape.label for file in files for shape in file.shapes} - {BACKGROUND, *VOID}
    return numbered_classes(sorted(names), root)


def void(root: Path, layout: Layout) -> list[int]:
    """Return the value of masks whose pixels count for nothing."""
    return [shapes.VOID]


def samples(root: Path, layout: Layout, repairs: list[str]) -> Iterator[Sample]:
    """Yield the image of every file; of objects that overlap the later one in the file is on top.

    Points and lines are no areas, and are left out. Where a picture is not there, the copy in the file is used.

    Raises:
        StudyError: a file cannot be read, or a picture is not there.
    """
    shapes.library()
    values = classes(root, layout) | {BACKGROUND: 0} | dict.fromkeys(VOID, shapes.VOID)
    pictures, lines = Pictures(root, layout), 0
    for path in _files(root, layout):
        content = parse_json(path, _File, "LabelMe")
        areas = [shape for shape in content.shapes if shape.shape_type not in _LINES]
        left_out = len(content.shapes) - len(areas)
        lines += left_out
        picture = _picture(content, path, pictures)
        size = size_in(content.imageHeight, content.imageWidth, picture, path)
        draw = partial(_draw, areas, values, size, left_out)
        yield Sample(path.stem, picture, draw, subset_in(relative(path.parent, root)))
    if lines:
        repairs.append(f"{lines} points and lines are no areas and are left out")
    pictures.check(repairs)


def _files(root: Path, layout: Layout) -> list[Path]:
    return annotation_files(root, layout, ".json", _looks, "JSON file of LabelMe's layout", LAYOUT)


def _looks(path: Path) -> bool:
    return looks_like(path, b'"version"', b'"shapes"')


def _picture(content: _File, path: Path, pictures: Pictures) -> Path | bytes | None:
    picture = pictures.find(content.imagePath, path, beside=True)
    if picture is None and content.imageData:
        return from_base64(content.imageData, "imageData", path)
    return picture


def _draw(areas: list[_Shape], values: dict[str, int], size: Size, lines: int) -> Drawn:
    shapes.check_size(size)
    return shapes.draw([(values[shape.label], _rle(shape, size)) for shape in areas], size)._replace(lines=lines)


def _rle(shape: _Shape, size: Size) -> Rle:
    if shape.shape_type not in _AREAS:
        kinds = ", ".join([*_AREAS, *_LINES])
        raise StudyError(f"a shape of '{shape.label}' is of the kind '{shape.shape_type}', known are {kinds}")
    try:
        return _AREAS[shape.shape_type](shape, size)
    except StudyError as error:
        raise StudyError(f"{shape.shape_type} '{shape.label}': {error.what}", remedy=error.remedy) from None


def _box(shape: _Shape, size: Size) -> Rle:
    """Draw a box of two corners that lie opposite, or of all four (X-AnyLabeling)."""
    if len(shape.points) == 4:
        return _outline(shape, size)
    (left, right), (top, bottom) = (sorted(part) for part in zip(*_two(shape), strict=True))
    return shapes.box(left, top, right, bottom, size)


def _outline(shape: _Shape, size: Size) -> Rle:
    return shapes.polygons([shape.points], size)


def _circle(shape: _Shape, size: Size) -> Rle:
    centre, edge = _two(shape)
    radius = math.dist(centre, edge)
    return shapes.ellipse(centre, (radius, radius), size)


def _mask(shape: _Shape, size: Size) -> Rle:
    left, top = (round(min(part)) for part in zip(*_two(shape), strict=True))
    mask = values_of(from_base64(shape.mask or "", "its mask", ""), "its mask") != 0
    return shapes.part(mask, left, top, size)


def _two(shape: _Shape) -> tuple[tuple[float, float], ...]:
    if len(shape.points) != 2:
        raise StudyError(f"it has {len(shape.points)} points, not two")
    return shape.points


_LINES = ("point", "points", "line", "linestrip")
_AREAS = {
    "polygon": _outline,
    "rotation": _outline,  # X-AnyLabeling: the corners of a box that is turned
    "rectangle": _box,
    "circle": _circle,
    "mask": _mask,
}
