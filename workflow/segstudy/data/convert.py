"""Convert annotations once: a PNG mask for each image, and a link to the image. Fields of view are computed here too.

Everything behind sees a folder of images and masks, so that checks, overlays and scores at the original size read files
as everywhere. Annotation files may be gigabytes; they are parsed by this job alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segstudy.config.layout import Layout
from segstudy.config.paths import CONVERTED_MANIFEST
from segstudy.config.readers import COMPLETED, CONVERTED
from segstudy.core import checksums
from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_folder, write_json, write_picture
from segstudy.core.names import FILE_COLUMNS, file_columns
from segstudy.core.progress import track
from segstudy.data.annotators import join_masks
from segstudy.data.images.encoded import suffix_of
from segstudy.data.images.label_map import Labels
from segstudy.data.images.read_masks import read_labels
from segstudy.data.images.shapes import Drawn
from segstudy.data.index import check_root, list_samples
from segstudy.data.readers.annotation_files import Sample
from segstudy.data.readers.discovery import few, frame, relative
from segstudy.data.readers.folder import set_groups
from segstudy.data.readers.groups_table import with_groups
from segstudy.data.readers.registry import reader_module
from segstudy.data.readers.sample_names import named

Row = dict[Any, Any]  # of an index
SHOWN = 10  # problems that a message names
RAW = "raw"  # the link to the root of a data set whose files are read where they lie


def convert(
    reader: str,
    root: Path,
    layout: Layout,
    out: Path,
    dataset: str = "",
    truth: str = "first",
    labels: Labels | None = None,
) -> None:
    """Write the images (as links, where they are files) and masks of a data set into folder `out`, and their list.

    Masks of shapes hold 1 and on for the classes and 255 for void, as the reader's `classes` and `void` say. Masks that
    are files already are linked. Second masks and fields of view are put there where the reader names any. Of a reader
    that reads files where they lie, the root itself is linked.

    Args:
        reader: of the data set.
        root: of its raw files.
        layout: of the config.
        out: is replaced.
        dataset: its name, for messages.
        truth: which mask counts where several annotators have drawn, see `segstudy.data.annotators`.
        labels: of the data set; needed where masks are joined.

    Raises:
        StudyError: the root holds something else, a file cannot be read, annotations cannot be drawn, no field of view
            can be computed, or masks cannot be joined; the message names the first ten.
    """
    check_root(reader_module(reader), root, dataset or reader)
    with atomic_folder(out) as folder:
        rows, repairs, blank = (_drawn if reader in CONVERTED else _linked)(reader, root, layout, folder)
        if truth != "first" and labels is not None:
            rows, said = join_masks(rows, folder, labels, truth)
            repairs = [*repairs, *said]
        manifest = {"reader": reader, "repairs": repairs, "images": rows, "blank": blank}
        write_json(folder / CONVERTED_MANIFEST, manifest, sealed=False)
    checksums.seal(out / CONVERTED_MANIFEST)  # in its place, which the checksum names


def _linked(reader: str, root: Path, layout: Layout, folder: Path) -> tuple[list[Row], list[str], list[str]]:
    """Link the root below `folder`; return the rows of the reader's index, its repairs, and no blank sample."""
    os.symlink(os.path.abspath(root), folder / RAW)
    table = list_samples(reader, root, layout)
    rows = table.to_dict("records")
    files = [{column: f"{RAW}/{row[column]}" for column in file_columns(row) if row.get(column)} for row in rows]
    return [row | paths for row, paths in zip(rows, files, strict=True)], list(table.attrs["repairs"]), []


def _drawn(reader: str, root: Path, layout: Layout, folder: Path) -> tuple[list[Row], list[str], list[str]]:
    """Put images and masks of annotations below `folder`.

    Returns:
        The rows of an index, what is to be said, and the samples whose annotations draw nothing.
    """
    module = reader_module(reader)
    repairs: list[str] = []
    rows: list[dict[str, str]] = []
    problems: list[str] = []
    missing: list[str] = []
    overlaps: list[float] = []
    lost: list[str] = []  # images with shapes that draw nothing
    blank: list[int] = []  # rows whose shapes all draw nothing
    files: list[dict[str, str]] = []  # of each row: column -> path below the folder
    for number, sample in enumerate(track(module.samples(root, layout, repairs), f"{module.TITLE}: masks")):
        if sample.image is None:
            missing.append(sample.name)
            continue
        try:
            put, drawn = _put(sample, folder, number)
        except StudyError as error:
            problems.append(f"{sample.name}: {error.what}")
            continue
        if drawn:
            overlaps += [drawn.overlap] if drawn.overlap else []
            lost += [sample.name] if drawn.lost else []
            blank += [len(rows)] if drawn.blank else []
        original = relative(sample.image, root) if isinstance(sample.image, Path) else sample.name
        row = {"sample": sample.name, "image": original, "official_subset": sample.subset, "group": sample.group}
        rows.append(row)
        files.append(put)
    _check(problems, missing, len(rows), root, reader in COMPLETED)
    if overlaps:
        repairs.append(
            f"shapes of different classes overlap in {len(overlaps)} of {len(rows)} images (up to "
            f"{max(overlaps):.1%} of the pixels); which one is on top: docs/annotation-formats.md"
        )
    if lost:
        repairs.append(f"shapes that draw no pixel, because they are empty or thinner than one, in: {few(lost)}")
    set_groups(rows, layout, root)
    table = frame(named(rows, repairs), repairs)
    table = with_groups(table, root, layout)
    images = [_renamed(row, put, folder) for row, put in zip(table.to_dict("records"), files, strict=True)]
    return images, list(table.attrs["repairs"]), [str(images[row]["sample"]) for row in blank]


def _check(problems: Sequence[str], missing: Sequence[str], good: int, root: Path, completed: bool) -> None:
    count = good + len(problems) + len(missing)
    if missing:
        raise StudyError(
            f"{len(missing)} of {count} images that the annotations name are not below the root: {few(missing)}",
            where=root,
            remedy="put them below the root, or take them out of the annotations",
        )
    if problems:
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        what = f"the annotations of {len(problems)} of {count} images cannot be drawn"
        if completed:
            what = f"the pictures of {len(problems)} of {count} images cannot be used"
        raise StudyError(
            f"{what}:\n  " + "\n  ".join(problems[:SHOWN]) + more,
            where=root,
            remedy=f"mend the {'pictures' if completed else 'annotations'}, or take these images out of them",
        )
    if not count:
        raise StudyError("the annotations name no image", where=root)


def _put(sample: Sample, folder: Path, number: int) -> tuple[dict[str, str], Drawn | None]:
    """Put the files of a sample below `folder`; return {column: path there}, and its mask if that is made of shapes."""
    place = {column: folder / f"{column}s" / f".{number}" for column in FILE_COLUMNS}
    put, drawn = {"image": _put_image(sample, place["image"])}, None
    if isinstance(sample.mask, Path | bytes):
        put["mask"] = _put_file(sample.mask, place["mask"], sample)
    elif sample.mask is not None:
        drawn = sample.mask()
        put["mask"] = _put_array(drawn.array, place["mask"])
    if sample.second_mask is not None:
        put["second_mask"] = _put_file(sample.second_mask, place["second_mask"], sample)
    if isinstance(sample.roi, Path | bytes):
        put["roi"] = _put_file(sample.roi, place["roi"], sample)
    elif sample.roi is not None:
        put["roi"] = _put_array(sample.roi(put["image"]), place["roi"])
    return {column: path.relative_to(folder).as_posix() for column, path in put.items()}, drawn


def _put_image(sample: Sample, place: Path) -> Path:
    """Put the image at `place`, with its suffix; return its path."""
    if isinstance(sample.image, Path | bytes):
        return _put_file(sample.image, place, sample)
    return _put_array(_joined(list(sample.image or ())), place)


def _put_file(content: Path | bytes, place: Path, sample: Sample) -> Path:
    """Put a link to a file, or an encoded picture, at `place`, with its suffix; return its path."""
    place.parent.mkdir(exist_ok=True)
    if isinstance(content, Path):
        path = place.with_name(place.name + content.suffix.casefold())
        os.symlink(os.path.abspath(content), path)
    else:
        path = place.with_name(place.name + suffix_of(content, sample.name))
        path.write_bytes(content)
    return path


def _put_array(array: np.ndarray, place: Path) -> Path:
    """Write an array as PNG at `place`; return its path."""
    place.parent.mkdir(exist_ok=True)
    path = place.with_name(f"{place.name}.png")
    write_picture(path, Image.fromarray(array))
    return path


def _joined(channels: list[Path]) -> np.ndarray:
    """Return three grey pictures as red, green and blue, uint8 (H, W, 3)."""
    if len(channels) != 3:
        raise StudyError(
            f"it has {len(channels)} channels: {few(path.name for path in channels)}", allowed="one, or three: RGB"
        )
    arrays = [read_labels(path)[0] for path in channels]
    if any(array.dtype != np.uint8 or array.shape != arrays[0].shape for array in arrays):
        raise StudyError("its channels differ in size or have more than 8 bits", allowed="8 bits, one size")
    return np.stack(arrays, axis=2)


def _renamed(row: Row, put: Mapping[str, str], folder: Path) -> Row:
    """Call the files of a row by its sample, and name them in it."""
    for column, path in put.items():
        name = f"{column}s/{row['sample']}{Path(path).suffix}"
        (folder / path).rename(folder / name)
        row = row | {column: name}
    return row
