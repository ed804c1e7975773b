"""Recognise labels of kinds that no reader reads, so that a refusal says what lies there and what to do."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from segstudy.core.errors import StudyError
from segstudy.data.readers.discovery import folders

DEPTH = 5  # levels of folders below the root that are looked into
_MOST = 20  # files of a folder that are opened
_PEEKED = 65_536  # bytes that are looked at
_YOLO = re.compile(rb"\d+( +([01]|[01]?\.\d+|\d(\.\d+)?e-\d+)){4,}")
_READ = "masks, or annotations of COCO, LabelMe, CVAT, Label Studio"
_DRAW = "write them as masks: one PNG for each image, called like it, 0 where there is no object"
_VOLUMES = "export slices as pictures, images and masks, with the slices of one volume in one group"


class _Kind(NamedTuple):
    """Labels that are not read."""

    endings: tuple[str, ...]
    holds: re.Pattern[bytes] | None  # what the file begins with, or has near its beginning; None: the ending will do
    words: str
    remedy: str


_KINDS = (
    _Kind((".txt",), _YOLO, "text files of YOLO, a line for each object", ""),
    _Kind((".csv",), re.compile(rb"[^\n]*(encoded_?pixels|\brle|rle\b|rle_)", re.I), "run lengths in a table", _DRAW),
    _Kind((".json",), re.compile(rb'.*"(geometryType|classTitle)"', re.S), "JSON files of Supervisely", ""),
    _Kind((".xml",), re.compile(rb".*<Annotation\b.*<(Region|Coordinate)", re.S), "outlines of a slide viewer", _DRAW),
    _Kind((".mat",), None, "files of MATLAB", _DRAW),
    _Kind((".npy", ".npz"), None, "arrays of NumPy", f"{_DRAW}; images too where they are arrays"),
    _Kind((".h5", ".hdf5"), None, "HDF5 files", f"{_DRAW}; images too where they lie in them"),
    _Kind((".nii", ".nii.gz", ".dcm", ".mha", ".mhd", ".nrrd"), None, "volumes", _VOLUMES),
)
_EXPORT = "export the project in one of these formats (most tools write COCO): outlines, not boxes alone"


def other_labels(root: Path) -> StudyError | None:
    """Return the refusal of labels in `root` that no reader reads, None where there are none.

    Of several kinds the first in `_KINDS`; files are recognised by their ending, and where many programs use it by
    what they begin with.
    """
    for kind in _KINDS:
        for folder in folders(root, DEPTH):
            path = next((path for path in _files(folder, kind.endings) if _is(path, kind)), None)
            if path:
                what = f"the labels are {kind.words}, which are not read"
                return StudyError(what, where=path, allowed=_READ, remedy=kind.remedy or _EXPORT)
    return None


def _files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.name.casefold().endswith(endings) and e.name[0] != ".")
        return [folder / name for name in names[:_MOST]]  # of YOLO, those of images without an object are empty
    return []


def _is(path: Path, kind: _Kind) -> bool:
    if kind.holds is None:
        return True
    with suppress(OSError), path.open("rb") as file:
        seen = file.readline(100_000).strip() if kind.holds is _YOLO else file.read(_PEEKED)
        return bool(kind.holds.fullmatch(seen) if kind.holds is _YOLO else kind.holds.match(seen))
    return False
