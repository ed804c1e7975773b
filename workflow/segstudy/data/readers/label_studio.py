"""Label Studio: the JSON export of a project, with brush strokes, polygons, boxes and ellipses.

The format: labelstud.io/guide/export ("JSON"). Brush masks are run lengths in the format of thi.ng/rle-pack, as
`label_studio_sdk.converter.brush.decode_rle` reads them; that package brings a hundred others, and is not needed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.images import shapes
from segstudy.data.images.label_map import binary
from segstudy.data.images.read import SUFFIXES
from segstudy.data.images.shapes import Drawn, Rle, Size
from segstudy.data.readers.annotation_files import (
    Block,
    Sample,
    annotation_files,
    any_file,
    looks_like,
    numbered_classes,
    parse_json,
    subsets_of,
)
from segstudy.data.readers.converted import index  # noqa: F401
from segstudy.data.readers.discovery import few
from segstudy.data.readers.named_pictures import Pictures

TITLE = "Label Studio annotations"
LABELS = binary("foreground")
TASK = "segment the annotated objects"
SOURCE = "own data, annotated with Label Studio"
LAYOUT = "*.json (export as JSON, not JSON-MIN), the pictures anywhere below the root"

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded file
_UPLOADS = "data/upload/"  # before the project's number, which is no folder of the pictures
_CHANNELS = 4  # of a brush mask: red, green, blue and alpha, of which alpha counts


class _Result(Block):
    type: str = ""
    original_width: int = 0
    original_height: int = 0
    value: dict[str, Any] | None = None


class _Annotation(Block):
    result: tuple[_Result, ...] = ()
    was_cancelled: bool = False


class _Task(Block):
    id: int | str = "without id"
    data: dict[str, Any]
    annotations: list[_Annotation]


_FILE = TypeAdapter(list[_Task])


def recognises(root: Path) -> bool:
    """Return whether `root` holds a JSON file that looks like an export of Label Studio."""
    return any_file(root, ".json", _looks)


def classes(root: Path, layout: Layout) -> dict[str, int]:
    """Return {label: its value in the masks}: 1 and on, in alphabetical order.

    Raises:
        StudyError: a file cannot be read.
    """
    names: set[str] = set()
    for path in _files(root, layout):
        for task in parse_json(path, _FILE, "Label Studio"):
            names |= {_label(result, f"{path}, task {task.id}") for result in _areas(_counted(task))}
    return numbered_classes(sorted(names - {"background"}), root)


def void(root: Path, layout: Layout) -> list[int]:
    """Return the value of masks whose pixels count for nothing."""
    return [shapes.VOID]


def samples(root: Path, layout: Layout, repairs: list[str]) -> Iterator[Sample]:
    """Yield the image of every task; of shapes that overlap the later one is on top.

    Where several people have labelled a task, the first of their annotations counts.

    Raises:
        StudyError: a file cannot be read.
    """
    shapes.library()
    values, pictures, several = classes(root, layout) | {"background": 0}, Pictures(root, layout), []
    unlabelled = 0
    for path, subset in subsets_of(_files(root, layout), root).items():
        for task in parse_json(path, _FILE, "Label Studio"):
            name = _picture_name(task, path)
            picture = pictures.find(name, path) or pictures.find(_UPLOADED.sub("", Path(name).name), path)
            if sum(not annotation.was_cancelled for annotation in task.annotations) > 1:
                several.append(str(task.id))
            areas = _areas(_counted(task))
            draw = partial(_draw, areas, values) if areas else None
            unlabelled += not areas
            yield Sample(_UPLOADED.sub("", Path(name).stem), picture, draw, subset if draw else "unlabelled")
    if unlabelled:
        repairs.append(f"{unlabelled} tasks have no shape: they are images without labels")
    if several:
        repairs.append(f"several people labelled {len(several)} tasks, the first annotation counts: {few(several)}")
    pictures.check(repairs)


def _files(root: Path, layout: Layout) -> list[Path]:
    return annotation_files(root, layout, ".json", _looks, "JSON export of Label Studio", LAYOUT)


def _looks(path: Path) -> bool:
    return looks_like(path, b'"annotations"', b'"result"', b'"original_width"') and looks_like(path, b'"data"')


def _counted(task: _Task) -> _Annotation | None:
    return next((annotation for annotation in task.annotations if not annotation.was_cancelled), None)


def _areas(annotation: _Annotation | None) -> list[_Result]:
    return [result for result in annotation.result if result.type in _AREAS] if annotation else []


def _label(result: _Result, where: object = "") -> str:
    labels = (result.value or {}).get(result.type)
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
        what = f"a shape of type {result.type} has no label, or several"
        raise StudyError(what, where=where, remedy="give each shape one label")
    return labels[0]


def _picture_name(task: _Task, path: Path) -> str:
    """Return the name of a task's picture: of an upload, a local file (`?d=`) or an address."""
    for value in task.data.values():
        if isinstance(value, str):
            address = urlsplit(value)
            name = unquote((parse_qs(address.query).get("d") or [address.path])[0])
            if Path(name).suffix.casefold() in SUFFIXES:
                name = name.lstrip("/")
                return Path(name).name if name.startswith(_UPLOADS) else name
    raise StudyError(f"task {task.id} names no picture", where=path, allowed=", ".join(SUFFIXES))


def _draw(areas: list[_Result], values: dict[str, int]) -> Drawn:
    sizes = {(result.original_height, result.original_width) for result in areas}
    if len(sizes) != 1:
        raise StudyError(
            f"its shapes are of images of {len(sizes)} sizes",
            remedy="export the task again, or take it out of the project",
        )
    (size,) = sizes
    shapes.check_size(size)
    return shapes.draw([(values[_label(result)], _rle(result, size)) for result in areas], size)


def _rle(result: _Result, size: Size) -> Rle:
    try:
        return _AREAS[result.type](result.value or {}, size)
    except StudyError as error:
        raise StudyError(f"{result.type} '{_label(result)}': {error.what}", remedy=error.remedy) from None
    except (KeyError, TypeError, ValueError) as error:
        raise StudyError(f"{result.type} '{_label(result)}': {type(error).__name__} {error}") from None


def _percent(value: Mapping[str, Any], name: str, whole: int) -> float:
    return float(value[name]) * whole / 100


def _polygon(value: Mapping[str, Any], size: Size) -> Rle:
    points = [(float(x) * size[1] / 100, float(y) * size[0] / 100) for x, y in value["points"]]
    return shapes.polygons([points], size)


def _box(value: Mapping[str, Any], size: Size) -> Rle:
    """Draw a box that is turned about its upper left corner."""
    left, top = _percent(value, "x", size[1]), _percent(value, "y", size[0])
    width, height = _percent(value, "width", size[1]), _percent(value, "height", size[0])
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    return shapes.polygons([shapes.turned(corners, (left, top), float(value.get("rotation", 0)))], size)


def _ellipse(value: Mapping[str, Any], size: Size) -> Rle:
    centre = (_percent(value, "x", size[1]), _percent(value, "y", size[0]))
    radii = (_percent(value, "radiusX", size[1]), _percent(value, "radiusY", size[0]))
    return shapes.ellipse(centre, radii, size, float(value.get("rotation", 0)))


def _brush(value: Mapping[str, Any], size: Size) -> Rle:
    values = unpacked(bytes(value["rle"]), size[0] * size[1] * _CHANNELS)
    return shapes.array(values.reshape(*size, _CHANNELS)[..., _CHANNELS - 1] > 0)


def unpacked(packed: bytes, count: int) -> NDArray[np.uint8]:
    """Return the `count` values of run lengths packed by thi.ng/rle-pack.

    A stream of bits, the highest of a byte first: the number of values (32 bits), the bits of a value less one (5),
    four widths of a run's length less one (4 each). Then for each run: whether it repeats one value (1 bit), which of
    the four widths its length has (2), its length less one, and its value, or its values one after the other.

    Raises:
        StudyError: it holds another number of values, or is cut.
    """
    bits = np.unpackbits(np.frombuffer(packed, np.uint8)).tobytes()  # one byte, 0 or 1, a bit
    text = bits.translate(bytes.maketrans(b"\x00\x01", b"01")).decode("ascii")
    place = 0

    def number(width: int) -> int:
        nonlocal place
        place += width
        if place > len(text):
            raise StudyError("run lengths that are cut")
        return int(text[place - width : place], 2)

    stated_count, word = number(32), number(5) + 1
    if stated_count != count:
        raise StudyError(f"run lengths of {stated_count} values, the image has {count}: four for each pixel")
    if word > 8:
        raise StudyError(f"run lengths of values of {word} bits", allowed="8 bits")
    widths = [number(4) + 1 for _ in range(4)]
    values, done = np.zeros(count, np.uint8), 0
    while done < count:
        repeated, length = number(1), number(widths[number(2)]) + 1
        if done + length > count:
            raise StudyError("run lengths that reach over the end of the image")
        run = number(word) if repeated else [number(word) for _ in range(length)]
        values[done : done + length] = run
        done += length
    return values


_AREAS = {
    "brushlabels": _brush,
    "polygonlabels": _polygon,
    "rectanglelabels": _box,
    "ellipselabels": _ellipse,
}
