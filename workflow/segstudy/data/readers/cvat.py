"""CVAT for images 1.1: one XML file of a task or project, with the outlines in every image.

The format: docs.cvat.ai, "CVAT for images". The file is read image by image, so that its size hardly matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, iterparse
from xml.parsers import expat

import numpy as np

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.images import shapes
from segstudy.data.images.label_map import binary
from segstudy.data.images.shapes import Drawn, Rle, Size
from segstudy.data.readers.annotation_files import (
    LARGEST,
    Sample,
    annotation_files,
    any_file,
    looks_like,
    numbered_classes,
    subset_in,
    subsets_of,
)
from segstudy.data.readers.converted import index  # noqa: F401
from segstudy.data.readers.named_pictures import Pictures

TITLE = "CVAT annotations"
LABELS = binary("foreground")
TASK = "segment the annotated objects"
SOURCE = "own data, annotated with CVAT"
LAYOUT = "annotations.xml (CVAT for images 1.1), the pictures anywhere below the root"


def recognises(root: Path) -> bool:
    """Return whether `root` holds an XML file that begins as CVAT's do."""
    return any_file(root, ".xml", _looks)


def classes(root: Path, layout: Layout) -> dict[str, int]:
    """Return {label: its value in the masks}: 1 and on, in the order of the project; without those never drawn.

    Raises:
        StudyError: a file cannot be read, or holds the tracks of a video.
    """
    known: dict[str, None] = {}
    used: set[str] = set()
    for path in _files(root, layout):
        for element in _elements(path, "label", "image", "track"):
            if element.tag == "track":
                raise StudyError(
                    "this is CVAT for video: tracks of shapes over its frames, which are not read",
                    where=path,
                    allowed="CVAT for images 1.1: the shapes of each image",
                    remedy="export the task as 'CVAT for images 1.1', with its images: every frame is one then",
                )
            if element.tag == "label":
                known.setdefault(element.findtext("name") or element.get("name") or "")
            else:
                used |= {shape.get("label", "") for shape in element if shape.tag in _AREAS}
    names = [name for name in [*known, *sorted(used - set(known))] if name in used and name != "background"]
    return numbered_classes(names, root)


def void(root: Path, layout: Layout) -> list[int]:
    """Return the value of masks whose pixels count for nothing."""
    return [shapes.VOID]


def samples(root: Path, layout: Layout, repairs: list[str]) -> Iterator[Sample]:
    """Yield every image of the files; of shapes that overlap the one with the larger z_order is on top, then the later.

    Raises:
        StudyError: a file cannot be read.
    """
    shapes.library()
    values, pictures, lines, empty = classes(root, layout) | {"background": 0}, Pictures(root, layout), 0, 0
    for path, subset_of_file in subsets_of(_files(root, layout), root).items():
        for element in _elements(path, "image"):
            name = element.get("name", "")
            subset = subset_in(element.get("subset", "")) or subset_of_file
            areas = [shape for shape in element if shape.tag in _AREAS]
            left_out = sum(shape.tag in ("polyline", "points", "cuboid", "skeleton") for shape in element)
            lines += left_out
            empty += not areas and not left_out
            size = int(_number(element, "height", where=path)), int(_number(element, "width", where=path))
            draw = partial(_draw, [_copy(shape) for shape in areas], values, size, left_out)
            yield Sample(Path(name).stem, pictures.find(name, path, subset), draw, subset)
    if lines:
        repairs.append(f"{lines} points, lines and cuboids are no areas and are left out")
    if empty:
        repairs.append(f"{empty} images have no shape: they are background, not images without labels")
    pictures.check(repairs)


def _files(root: Path, layout: Layout) -> list[Path]:
    return annotation_files(root, layout, ".xml", _looks, "XML file of CVAT's layout", LAYOUT)


def _looks(path: Path) -> bool:
    return looks_like(path, b"<annotations>", b"<image ") or looks_like(path, b"<annotations>", b"<version>1.1")


class _RootReachedError(Exception):
    """The first element of a file begins."""


def _check_prolog(path: Path) -> None:
    """Refuse a document type, which CVAT never writes: entities may grow without end."""

    def refuse(*_: object) -> None:
        raise StudyError(
            "the XML file has a document type, which CVAT never writes", where=path, remedy="export it again"
        )

    def stop(*_: object) -> None:
        raise _RootReachedError

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = refuse, stop
    with path.open("rb") as file:
        try:
            parser.ParseFile(file)
        except _RootReachedError:
            return


def _elements(path: Path, *tags: str) -> Iterator[Element]:
    """Yield the elements of given tags; each is emptied when the next one is asked for."""
    if path.stat().st_size > LARGEST:
        raise StudyError(f"the annotation file has more than {LARGEST / 1e9:g} GB", where=path)
    parents: list[Element] = []
    try:
        _check_prolog(path)
        for event, element in iterparse(path, ("start", "end")):
            if event == "start":
                parents.append(element)
                continue
            parents.pop()
            if element.tag in tags:
                yield element
                element.clear()
                if parents:
                    parents[-1].remove(element)
    except (expat.ExpatError, ParseError, ValueError, OSError) as error:
        raise StudyError(f"this is no CVAT file: {error}", where=path, remedy="export it again") from None


def _copy(element: Element) -> Element:
    return Element(element.tag, dict(element.attrib))


def _number(element: Element, name: str, default: float | None = None, where: object = "") -> float:
    text = element.get(name)
    try:
        value = float(text) if text is not None else default
    except ValueError:
        value = None
    if value is None or not np.isfinite(value):
        called = f" '{element.get('name')}'" if element.get("name") else ""
        raise StudyError(f"<{element.tag}>{called} has no number '{name}'", where=where, remedy="export the file again")
    return value


def _draw(areas: list[Element], values: dict[str, int], size: Size, lines: int) -> Drawn:
    shapes.check_size(size)
    in_order = sorted(areas, key=lambda shape: _number(shape, "z_order", 0))
    drawn = shapes.draw([(values[shape.get("label", "")], _rle(shape, size)) for shape in in_order], size)
    return drawn._replace(lines=lines)


def _rle(shape: Element, size: Size) -> Rle:
    try:
        return _AREAS[shape.tag](shape, size)
    except StudyError as error:
        raise StudyError(f"{shape.tag} '{shape.get('label')}': {error.what}", remedy=error.remedy) from None


def _polygon(shape: Element, size: Size) -> Rle:
    try:
        points = [(float(x), float(y)) for x, y in (pair.split(",") for pair in shape.get("points", "").split(";"))]
    except ValueError:
        raise StudyError("its points are no pairs x,y;x,y") from None
    return shapes.polygons([points], size)


def _box(shape: Element, size: Size) -> Rle:
    left, top, right, bottom = (_number(shape, name) for name in ("xtl", "ytl", "xbr", "ybr"))
    return shapes.box(left, top, right, bottom, size, _number(shape, "rotation", 0))


def _ellipse(shape: Element, size: Size) -> Rle:
    x, y, across, down = (_number(shape, name) for name in ("cx", "cy", "rx", "ry"))
    return shapes.ellipse((x, y), (across, down), size, _number(shape, "rotation", 0))


def _mask(shape: Element, size: Size) -> Rle:
    """Draw run lengths along the rows of a box, zeros first."""
    left, top, width, height = (int(_number(shape, name)) for name in ("left", "top", "width", "height"))
    try:
        counts = np.array([int(count) for count in shape.get("rle", "").split(",")])
    except ValueError:
        raise StudyError("its run lengths are no numbers") from None
    if counts.min(initial=0) < 0 or counts.sum() != width * height or width * height > size[0] * size[1]:
        raise StudyError(f"its run lengths add up to {counts.sum()} pixels, its box has {width}x{height}")
    mask = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)
    return shapes.part(mask, left, top, size)


_AREAS = {"polygon": _polygon, "box": _box, "ellipse": _ellipse, "mask": _mask}
