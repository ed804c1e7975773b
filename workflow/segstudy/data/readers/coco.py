"""COCO: one JSON file of images, categories and annotations (polygons or run lengths) for each subset.

T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; the format: cocodataset.org, "Data format".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.images import shapes
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
    subsets_of,
)
from segstudy.data.readers.converted import index  # noqa: F401
from segstudy.data.readers.discovery import few
from segstudy.data.readers.named_pictures import Pictures, size_in

TITLE = "COCO annotations"
LABELS = binary("foreground")
TASK = "segment the annotated objects"
SOURCE = "own data, annotated in COCO's format"
LAYOUT = (
    "annotations/*.json (images, annotations, categories), one for each subset; the pictures anywhere below the root"
)


class _Counts(Block):
    size: tuple[int, int]
    counts: str | list[int]


_Id = Annotated[str, BeforeValidator(str)]  # 7 and "7" are one image


class _Annotation(Block):
    id: int | str = "without id"
    image_id: _Id
    category_id: int
    segmentation: _Counts | list[list[float]] | None = None
    iscrowd: int | None = None


class _Image(Block):
    id: _Id
    file_name: str
    height: int | None = None
    width: int | None = None


class _Category(Block):
    id: int
    name: str


class _File(Block):
    images: list[_Image]
    annotations: tuple[_Annotation, ...] = ()
    categories: list[_Category]


class _Used(Block):
    category_id: int


class _Categories(Block):
    annotations: tuple[_Used, ...] = ()
    categories: list[_Category]


def recognises(root: Path) -> bool:
    """Return whether `root` holds a JSON file that begins or ends as COCO's do."""
    return any_file(root, ".json", _looks)


def classes(root: Path, layout: Layout) -> dict[str, int]:
    """Return {category: its value in the masks}: 1 and on, in the order of their ids; without those never drawn.

    Raises:
        StudyError: a file cannot be read, two files give an id different names, or there are more than masks can hold.
    """
    names: dict[int, str] = {}
    used: set[int] = set()
    for path in _files(root, layout):
        content = parse_json(path, _Categories, "COCO")
        used |= {annotation.category_id for annotation in content.annotations}
        for category in content.categories:
            if names.setdefault(category.id, category.name) != category.name:
                raise StudyError(
                    f"category {category.id} is '{category.name}' here and '{names[category.id]}' in another file",
                    where=path,
                    remedy="export the files from one project, or name one of them by layout.masks",
                )
    unknown = used - set(names)
    if unknown:
        raise StudyError(
            f"annotations of categories that are not in 'categories': {few(map(str, sorted(unknown)))}",
            where=few(map(str, _files(root, layout))),
            allowed=few(f"{number} ({name})" for number, name in sorted(names.items())),
            remedy="export the file again, with its categories",
        )
    return numbered_classes([name for number, name in sorted(names.items()) if number in used], root)


def void(root: Path, layout: Layout) -> list[int]:
    """Return the value of masks whose pixels count for nothing."""
    return [shapes.VOID]


def samples(root: Path, layout: Layout, repairs: list[str]) -> Iterator[Sample]:
    """Yield every image that the files name; `iscrowd` is void, of other objects the smaller one is on top.

    A file without any annotation is one of images without labels: COCO's test2017.

    Raises:
        StudyError: a file cannot be read, or an image is named twice.
    """
    shapes.library()
    values, files, pictures = classes(root, layout), _files(root, layout), Pictures(root, layout)
    for path, subset in subsets_of(files, root).items():
        content = parse_json(path, _File, "COCO")
        number_of = {category.id: values.get(category.name, 0) for category in content.categories}
        of_image: dict[str, list[_Annotation]] = {image.id: [] for image in content.images}
        for annotation in content.annotations:
            if annotation.image_id not in of_image:
                raise StudyError(
                    f"annotation {annotation.id} is of image {annotation.image_id}, which is none", where=path
                )
            of_image[annotation.image_id].append(annotation)
        for image in content.images:
            picture = pictures.find(image.file_name, path, subset)
            size = size_in(image.height, image.width, picture, path)
            draw = partial(_draw, of_image[image.id], number_of, size)
            yield Sample(Path(image.file_name).stem, picture, draw if content.annotations else None, subset)
    pictures.check(repairs)


def _files(root: Path, layout: Layout) -> list[Path]:
    return annotation_files(root, layout, ".json", _looks, "JSON file with images and categories", LAYOUT)


def _looks(path: Path) -> bool:
    images, categories = b'"images"', b'"categories"'
    pairs = (
        (images, categories),
        (categories, b'"annotations"'),
        (images, b'"file_name"'),
    )  # a long file is seen in part
    return any(looks_like(path, *pair) for pair in pairs)


def _draw(annotations: list[_Annotation], number_of: dict[int, int], size: Size) -> Drawn:
    shapes.check_size(size)
    drawn: list[tuple[int, Rle]] = []
    for annotation in annotations:
        if not annotation.segmentation:
            raise StudyError(
                f"annotation {annotation.id} has no outline (a box alone is no mask)",
                remedy="draw its outline, or take it out of the file",
            )
        try:
            rle = _rle(annotation.segmentation, size)
        except StudyError as error:
            raise StudyError(f"annotation {annotation.id}: {error.what}", remedy=error.remedy) from None
        drawn.append((shapes.VOID if annotation.iscrowd else number_of[annotation.category_id], rle))
    return shapes.draw(sorted(drawn, key=lambda shape: -shapes.area(shape[1])), size)


def _rle(segmentation: _Counts | list[list[float]], size: Size) -> Rle:
    if isinstance(segmentation, _Counts):
        return shapes.run_lengths(segmentation.counts, segmentation.size, size)
    odd = [len(ring) for ring in segmentation if len(ring) % 2]
    if odd:
        raise StudyError(f"a polygon of {odd[0]} numbers: x and y take turns")
    return shapes.polygons([list(zip(ring[::2], ring[1::2], strict=True)) for ring in segmentation], size)
