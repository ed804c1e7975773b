"""DRIVE: 40 fundus photographs with vessels drawn by hand, halved into training and test.

J. Staal et al., "Ridge-based vessel segmentation in color images of the retina", IEEE TMI 23(4), 2004.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.data.images.label_map import binary
from segstudy.data.readers.discovery import child, few, folders, frame, numbered, only, relative, say_unpaired

TITLE = "DRIVE"
LABELS = binary("vessel")
TASK = "segment the blood vessels in fundus photographs"
SOURCE = "Staal et al., Ridge-based vessel segmentation in color images of the retina, IEEE TMI 2004"
LAYOUT = (
    "DRIVE/{training,test}/{images/NN_training.tif, 1st_manual/NN_manual1.gif, mask/NN_training_mask.gif}, "
    "2nd_manual in test; the root at DRIVE or one or two levels above"
)

_HALVES = {"train": ("training", "train"), "test": ("test", "testing")}
_FOLDERS = {"mask": "1stmanual", "roi": "mask", "second_mask": "2ndmanual"}
_FIRST_TRAINING_ID, _LAST_ID = 21, 40
_ID = re.compile(r"\D*(\d+).*", re.DOTALL)
_MISSING = {"mask": "no 1st_manual (vessels)", "roi": "no mask (field of view)", "second_mask": ""}


def recognises(root: Path) -> bool:
    """Return whether `root` holds a training or test half with vessels drawn or a field of view."""
    return bool(_bases(root))


def index(root: Path) -> pd.DataFrame:
    """Return one row per photograph; sample and group are its two-digit id, official_subset its half.

    `1st_manual` is the truth, `mask` the field of view, `2nd_manual` a second human. Files belong together by
    the first number in their names, whatever stands around it. Test images of newer releases have no truth.

    Raises:
        StudyError: two data sets below the root, two files of one id, or one id in both halves.
    """
    base = only(_bases(root), "copies of DRIVE", root, LAYOUT)
    rows: list[dict[str, str]] = []
    repairs: list[str] = []
    for subset, names in _HALVES.items():
        half = child(base, *names)
        if half is None:
            repairs.append(f"there is no {names[0]} folder")
            continue
        rows += _half(half, subset, root, repairs)
    both = sorted(
        {row["sample"] for row in rows if row["official_subset"] == "train"}
        & {row["sample"] for row in rows if row["official_subset"] == "test"}
    )
    if both:
        raise StudyError(
            f"the same ids stand in training and test: {few(both)}",
            where=base,
            allowed="01 to 20 in test, 21 to 40 in training",
            remedy="remove the copies",
        )
    _say_odd_ids(rows, repairs)
    return frame(rows, repairs)


def _bases(root: Path) -> list[Path]:
    return [folder for folder in folders(root, 2) if any(_is_half(child(folder, *n)) for n in _HALVES.values())]


def _is_half(half: Path | None) -> bool:
    return half is not None and _images(half) is not None and any(child(half, n) for n in _FOLDERS.values())


def _images(half: Path) -> Path | None:
    return child(half, "images", "image")


def _half(half: Path, subset: str, root: Path, repairs: list[str]) -> list[dict[str, str]]:
    images = _by_id(_images(half), root, repairs)
    parts = {column: _by_id(child(half, name), root, repairs) for column, name in _FOLDERS.items()}
    for column, files in parts.items():
        missing = _MISSING[column] and f"{half.name}: {_MISSING[column]}"
        say_unpaired(repairs, images, files, f"{half.name}: {column}", missing)
    return [
        {"sample": key, "group": key, "official_subset": subset, "image": relative(image, root)}
        | {column: relative(files.get(key), root) for column, files in parts.items()}
        for key, image in images.items()
    ]


def _by_id(folder: Path | None, root: Path, repairs: list[str]) -> dict[str, Path]:
    """Return {two-digit id: file}; the id is the first number of a name."""
    return {f"{number:02d}": path for number, path in numbered(folder, _ID, root, repairs).items()}


def _say_odd_ids(rows: list[dict[str, str]], repairs: list[str]) -> None:
    new = [row["sample"] for row in rows if not 1 <= int(row["sample"]) <= _LAST_ID]
    if new:
        repairs.append(f"ids that the official release (01 to 40) does not have, augmented copies perhaps: {few(new)}")
    moved = [
        row["sample"]
        for row in rows
        if 1 <= int(row["sample"]) <= _LAST_ID
        and (int(row["sample"]) >= _FIRST_TRAINING_ID) != (row["official_subset"] == "train")
    ]
    if moved:
        repairs.append(f"in the other half than in the official release (test 01-20, training 21-40): {few(moved)}")
