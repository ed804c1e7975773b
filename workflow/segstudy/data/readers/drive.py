"""DRIVE: 40 fundus photographs with vessels drawn by hand, halved into training and test.

J. Staal et al., "Ridge-based vessel segmentation in color images of the retina", IEEE TMI 23(4), 2004.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.data.images.label_map import binary
from segstudy.data.readers.discovery import few, folders, frame, pictures, plain, relative, subfolders, truest

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
    bases = _bases(root)
    if len(bases) != 1:
        raise StudyError(
            f"{len(bases)} copies of DRIVE: {few(relative(base, root) or '.' for base in bases)}",
            where=root,
            allowed=LAYOUT,
            remedy="point the root at the one to use",
        )
    rows: list[dict[str, str]] = []
    repairs: list[str] = []
    for subset, names in _HALVES.items():
        half = _child(bases[0], names)
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
            where=bases[0],
            allowed="01 to 20 in test, 21 to 40 in training",
            remedy="remove the copies",
        )
    _say_odd_ids(rows, repairs)
    return frame(rows, repairs)


def _bases(root: Path) -> list[Path]:
    return [folder for folder in folders(root, 2) if any(_is_half(_child(folder, n)) for n in _HALVES.values())]


def _is_half(half: Path | None) -> bool:
    return half is not None and _images(half) is not None and any(_child(half, (n,)) for n in _FOLDERS.values())


def _images(half: Path) -> Path | None:
    return _child(half, ("images", "image"))


def _child(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((child for child in subfolders(folder) if plain(child.name) in names), None)


def _half(half: Path, subset: str, root: Path, repairs: list[str]) -> list[dict[str, str]]:
    images = _by_id(_images(half), root, repairs)
    parts = {column: _by_id(_child(half, (name,)), root, repairs) for column, name in _FOLDERS.items()}
    for column, files in parts.items():
        alone = sorted(set(files) - set(images))
        if alone:
            repairs.append(f"{half.name}: {column} without an image, left out: {few(alone)}")
    for column in ("mask", "roi"):
        missing = sorted(set(images) - set(parts[column]))
        if missing:
            what = {"mask": "no 1st_manual (vessels)", "roi": "no mask (field of view)"}[column]
            repairs.append(f"{half.name}: {what} for {len(missing)} of {len(images)} images: {few(missing)}")
    return [
        {"sample": key, "group": key, "official_subset": subset, "image": relative(image, root)}
        | {column: relative(files.get(key), root) for column, files in parts.items()}
        for key, image in images.items()
    ]


def _by_id(folder: Path | None, root: Path, repairs: list[str]) -> dict[str, Path]:
    """Return {two-digit id: file}; of one name in several formats the truest, anything else twice is an error."""
    found: dict[str, list[Path]] = {}
    unnumbered = []
    for path in pictures(folder):
        number = re.search(r"\d+", path.stem)
        if number is None:
            unnumbered.append(relative(path, root))
        else:
            found.setdefault(f"{int(number.group()):02d}", []).append(path)
    if unnumbered:
        repairs.append(f"no id in the name, left out: {few(unnumbered)}")
    for key, paths in found.items():
        if len({plain(path.stem) for path in paths}) > 1:
            raise StudyError(
                f"id {key} names several files: {few(path.name for path in paths)}",
                where=folder,
                remedy="keep the original of the release; copies (augmented ones, say) do not belong into the raw data",
            )
        if len(paths) > 1:
            repairs.append(f"{relative(truest(paths)[0], root)} is used of {few(path.name for path in paths)}")
    return {key: truest(paths)[0] for key, paths in sorted(found.items())}


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
