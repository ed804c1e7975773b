"""Convert annotations once: a PNG mask for each image, and a link to the image. Fields of view are computed here too.

Everything behind sees a folder of images and masks, so that checks, overlays and scores at the original size read files
as everywhere. Annotation files may be gigabytes; they are parsed by this job alone.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segstudy.config.datasets import COMPLETED, Layout
from segstudy.config.paths import CONVERTED_MANIFEST
from segstudy.core import checksums
from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_folder, write_json, write_picture
from segstudy.core.progress import track
from segstudy.data.images.encoded import suffix_of
from segstudy.data.images.read_masks import read_labels
from segstudy.data.index import FILES, check_root
from segstudy.data.readers.annotation_files import Sample
from segstudy.data.readers.discovery import few, frame, relative
from segstudy.data.readers.folder import set_groups
from segstudy.data.readers.groups_table import with_groups
from segstudy.data.readers.registry import reader_module
from segstudy.data.readers.sample_names import named

SHOWN = 10  # problems that a message names


def convert(reader: str, root: Path, layout: Layout, out: Path, dataset: str = "") -> None:
    """Write the images (as links, where they are files) and masks of a data set into folder `out`, and their list.

    Masks of shapes hold 1 and on for the classes and 255 for void, as the reader's `classes` and `void` say. Masks that
    are files already are linked. Second masks and fields of view are put there where the reader names any.

    Raises:
        StudyError: the root holds something else, a file cannot be read, annotations cannot be drawn, or no field of
            view can be computed; the message names the first ten.
    """
    module = reader_module(reader)
    check_root(module, root, dataset or reader)
    repairs: list[str] = []
    rows: list[dict[str, str]] = []
    problems: list[str] = []
    missing: list[str] = []
    overlaps: list[float] = []
    files: list[dict[str, str]] = []  # of each row: column -> path below the folder
    with atomic_folder(out) as folder:
        for number, sample in enumerate(track(module.samples(root, layout, repairs), f"{module.TITLE}: masks")):
            if sample.image is None:
                missing.append(sample.name)
                continue
            try:
                put, overlap = _put(sample, folder, number)
            except StudyError as error:
                problems.append(f"{sample.name}: {error.what}")
                continue
            overlaps += [overlap] if overlap else []
            original = relative(sample.image, root) if isinstance(sample.image, Path) else sample.name
            row = {"sample": sample.name, "image": original, "official_subset": sample.subset, "group": sample.group}
            rows.append(row)
            files.append(put)
        _check(problems, missing, len(rows), root, reader in COMPLETED)
        if overlaps:
            repairs.append(
                f"shapes of different classes overlap in {len(overlaps)} of {len(rows)} images (up to "
                f"{max(overlaps):.1%} of the pixels); which one is on top: docs/own-data.md"
            )
        set_groups(rows, layout, root)
        table = frame(named(rows, repairs), repairs)
        if layout.table:
            table = with_groups(table, root / layout.table)
        images = [_renamed(row, put, folder) for row, put in zip(table.to_dict("records"), files, strict=True)]
        content = {"reader": reader, "repairs": table.attrs["repairs"], "images": images}
        write_json(folder / CONVERTED_MANIFEST, content, sealed=False)
    checksums.seal(out / CONVERTED_MANIFEST)  # in its place, which the checksum names


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


def _put(sample: Sample, folder: Path, number: int) -> tuple[dict[str, str], float]:
    """Put the files of a sample below `folder`; return {column: path there}, and the share of shapes that overlap."""
    place = {column: folder / f"{column}s" / f".{number}" for column in FILES}
    put, overlap = {"image": _put_image(sample, place["image"])}, 0.0
    if isinstance(sample.mask, Path | bytes):
        put["mask"] = _put_file(sample.mask, place["mask"], sample)
    elif sample.mask is not None:
        array, overlap = sample.mask()
        put["mask"] = _put_array(array, place["mask"])
    if sample.second_mask is not None:
        put["second_mask"] = _put_file(sample.second_mask, place["second_mask"], sample)
    if isinstance(sample.roi, Path | bytes):
        put["roi"] = _put_file(sample.roi, place["roi"], sample)
    elif sample.roi is not None:
        put["roi"] = _put_array(sample.roi(put["image"]), place["roi"])
    return {column: path.relative_to(folder).as_posix() for column, path in put.items()}, overlap


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


def _renamed(row: dict[Hashable, Any], put: Mapping[str, str], folder: Path) -> dict[Hashable, Any]:
    """Call the files of a row by its sample, and name them in it."""
    for column, path in put.items():
        name = f"{column}s/{row['sample']}{Path(path).suffix}"
        (folder / path).rename(folder / name)
        row = row | {column: name}
    return row
