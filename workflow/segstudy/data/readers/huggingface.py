"""Hugging Face `datasets` with columns of images: as `save_to_disk` writes them (Arrow), or as published (Parquet)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.images.label_map import binary
from segstudy.data.readers.annotation_files import Sample, any_file, subset_in
from segstudy.data.readers.converted import index  # noqa: F401
from segstudy.data.readers.discovery import few, folders, has_pictures, natural, plain, relative

TITLE = "a Hugging Face data set"
LABELS = binary("foreground")
TASK = "segment the foreground"
SOURCE = "own data, saved by Hugging Face `datasets`"
LAYOUT = "data/train-*.parquet, or what save_to_disk writes (train/data-*.arrow); one column of images, one of masks"

SUFFIXES = (".parquet", ".arrow")
IMAGES = ("image", "img", "pixelvalues", "picture", "photo")
MASKS = (
    *("mask", "masks", "label", "labels", "annotation", "annotations", "groundtruth", "gt"),
    *("segmentation", "segmentationmask", "semanticsegmentation", "labelmap"),
)
_ROWS = 16  # that are held in memory at a time
_LARGEST = 8_000_000_000  # bytes of one group of rows of a Parquet file, unpacked


def recognises(root: Path) -> bool:
    """Return whether `root` holds a table in Parquet or Arrow; beside files of pictures, one with pictures in it."""
    if not any(any_file(root, suffix, lambda _: True) for suffix in SUFFIXES):
        return False
    return not has_pictures(root) or any(any_file(root, suffix, _holds_pictures) for suffix in SUFFIXES)


def _holds_pictures(path: Path) -> bool:
    try:
        return any(_is_image(field.type) for field in _schema(path))
    except StudyError:  # damaged, or pyarrow is not there: whoever reads it says so
        return True


def classes(root: Path, layout: Layout) -> dict[str, int]:
    """Return no classes: a data set of images does not name those of its masks."""
    return {}


def void(root: Path, layout: Layout) -> list[int]:
    """Return no value: a data set of images does not name one."""
    return []


def samples(root: Path, layout: Layout, repairs: list[str]) -> Iterator[Sample]:
    """Yield the image and the mask of every row; splits are the official subsets.

    Raises:
        StudyError: a file is no table, its columns cannot be told apart, or a cell holds no picture.
    """
    files = tables(root)
    subsets = {subset_in(relative(path, root)) for path in files}
    for path in files:
        subset = subset_in(relative(path, root)) if len(subsets) > 1 else ""
        image, mask = columns(path, layout)
        for number, row in enumerate(_rows(path, [image, *([mask] if mask else [])])):
            name = Path(row[image].get("path") or "").stem or f"{path.stem}_{number}"
            encoded = _bytes(row[image], path, number, image)
            drawn = _bytes(row[mask], path, number, mask) if mask and row[mask] is not None else None
            yield Sample(name, encoded, drawn, subset if drawn is not None else "unlabelled")


def tables(root: Path) -> list[Path]:
    """Return the tables below a root.

    Raises:
        StudyError: there is none.
    """
    candidates = [
        path for folder in folders(root, 3) for path in folder.iterdir() if path.suffix.casefold() in SUFFIXES
    ]
    tables = [path for path in candidates if not path.name.startswith(("cache-", ".")) and path.is_file()]
    if not tables:
        raise StudyError("no table in Parquet or Arrow", where=root, allowed=LAYOUT)
    return sorted(tables, key=lambda path: natural(relative(path, root)))


def columns(path: Path, layout: Layout) -> tuple[str, str | None]:
    """Return the columns of images and of masks: those that `layout` names, or those of usual names.

    Raises:
        StudyError: the columns cannot be told apart.
    """
    pictured = [field.name for field in _schema(path) if _is_image(field.type)]
    if not pictured:
        raise StudyError("no column of images", where=path, allowed="columns of the feature Image")
    images = [layout.images] if layout.images else [name for name in pictured if plain(name) in IMAGES]
    masks = [layout.masks] if layout.masks else [name for name in pictured if plain(name) in MASKS]
    strange = [name for name in (*images, *masks) if name not in pictured]
    if strange or len(images) != 1 or len(masks) > 1:
        raise StudyError(
            f"which column holds images and which masks? The columns of pictures are {few(pictured)}"
            + (f"; none is called {few(strange)}" if strange else ""),
            where=path,
            remedy="name them in the data set's block: layout: {images: <column>, masks: <column>}",
        )
    return images[0], masks[0] if masks else None


def _rows(path: Path, names: list[str]) -> Iterator[dict[str, Any]]:
    pyarrow = _pyarrow()
    try:
        if path.suffix.casefold() == ".parquet":
            with pyarrow.parquet.ParquetFile(path) as file:
                groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
                largest = max((group.total_byte_size for group in groups), default=0)
                if largest > _LARGEST:
                    raise StudyError(f"a group of rows takes {largest / 1e9:.3g} GB", where=path, allowed="8 GB")
                for batch in file.iter_batches(batch_size=_ROWS, columns=names):
                    yield from batch.to_pylist()
        else:
            with _arrow(path) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, _ROWS):
                        yield from batch.slice(start, _ROWS).select(names).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _schema(path: Path) -> Any:
    pyarrow = _pyarrow()
    try:
        if path.suffix.casefold() == ".parquet":
            return pyarrow.parquet.read_schema(path)
        with _arrow(path) as reader:
            return reader.schema
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _arrow(path: Path) -> Any:
    pyarrow = _pyarrow()
    return pyarrow.ipc.open_stream(pyarrow.memory_map(str(path)))


def _damaged(path: Path, error: Exception) -> StudyError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return StudyError(
        f"the table cannot be read: {reason}", where=path, remedy="it may be cut off: download or save it again"
    )


def _is_image(kind: Any) -> bool:
    names = {kind.field(number).name for number in range(kind.num_fields)} if _pyarrow().types.is_struct(kind) else ()
    return "bytes" in names


def _bytes(cell: Any, path: Path, number: int, column: str) -> bytes:
    content = cell.get("bytes") if isinstance(cell, dict) else None
    if not content:
        raise StudyError(
            f"row {number}, column {column}: no picture is in the table, only the path {(cell or {}).get('path')}",
            where=path,
            remedy="save the data set again with its pictures inside, as save_to_disk and push_to_hub do",
        )
    return bytes(content)


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise StudyError(
            "tables of pictures are read with pyarrow, which is not installed",
            remedy="install the extra that brings it: pip install -c constraints.txt -e '.[formats]'",
        ) from None
    module: ModuleType = pyarrow
    return module
