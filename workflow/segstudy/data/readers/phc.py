"""PhC: phase-contrast micrographs of moving cells, one cell an image, cut from the frames of recordings.

From the ISBI cell tracking challenge (celltrackingchallenge.net), as the segmentation exercises 1 to 5 hand it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pandas as pd

from segstudy.data.images.label_map import binary
from segstudy.data.readers.discovery import child, folders, frame, numbered, only, pictures, relative, say_unpaired

TITLE = "PhC"
LABELS = binary("cell")
TASK = "segment the cell in phase-contrast micrographs"
SOURCE = "ISBI cell tracking challenge, celltrackingchallenge.net, processed to one cell an image"
LAYOUT = (
    "phc_data/{train,test}/{images/img_NNNNN.jpg, labels/label_NNNNN.png}, or images and labels without train and "
    "test; the root at phc_data or one level above"
)

# Neighbouring frames show almost the same cell, so what is never parted is a block of them. Of 20 frames two stand at
# the ends of their block: at most a tenth of the images has a direct neighbour in another subset, and a few hundred
# images still give a split some dozen blocks to choose from.
BLOCK = 20
# Numbers that jump further belong to another recording; smaller gaps are frames that somebody left out.
GAP = 10

_HALVES = {"train": ("train", "training"), "val": ("val", "validation"), "test": ("test", "testing")}
_IMAGE = re.compile(r"(?:img|image|im)[\s_-]*(\d+)", re.IGNORECASE)
_LABEL = re.compile(r"(?:label|mask)s?[\s_-]*(\d+)", re.IGNORECASE)


def recognises(root: Path) -> bool:
    """Return whether `root` holds numbered images and labels, in halves or not."""
    return bool(_bases(root))


def index(root: Path) -> pd.DataFrame:
    """Return one row per image; sample is its number, with its half in front where there are halves.

    Group is the block of frames that the image lies in (see `blocks`), official_subset its half. Where training and
    test share one numbering (no number occurs in both) blocks are drawn over both, and the checks find those that the
    official split parts.

    Raises:
        StudyError: two data sets below the root, or two files of one number.
    """
    base = only(_bases(root), "copies of PhC", root, LAYOUT)
    repairs: list[str] = []
    halves = {subset: _half(half, root, repairs) for subset, half in _halves(base).items()}
    numbers = [number for half in halves.values() for number in half]
    shared = len(set(numbers)) == len(numbers)
    together = _group_names(numbers) if shared else {}
    rows = []
    for subset, half in halves.items():
        prefix = f"{subset}_" if subset else ""
        group = together or {number: prefix + name for number, name in _group_names(half).items()}
        for number, files in half.items():
            named = {"sample": f"{prefix}{number:05d}", "group": group[number], "official_subset": subset}
            rows.append(named | files)
    return frame(rows, repairs)


def blocks(numbers: Iterable[int]) -> list[list[int]]:
    """Divide frame numbers into blocks of neighbours that a split keeps together.

    A recording ends where the numbers jump by more than `GAP`; each is cut into equal blocks of at most `BLOCK` images.
    """
    recordings: list[list[int]] = []
    for number in sorted(numbers):
        if not recordings or number - recordings[-1][-1] > GAP:
            recordings.append([])
        recordings[-1].append(number)
    result = []
    for recording in recordings:
        parts = -(-len(recording) // BLOCK)
        cuts = [round(part * len(recording) / parts) for part in range(parts + 1)]
        result += [recording[start:stop] for start, stop in pairwise(cuts)]
    return result


def _group_names(numbers: Iterable[int]) -> dict[int, str]:
    return {number: f"{block[0]:05d}-{block[-1]:05d}" for block in blocks(numbers) for number in block}


def _bases(root: Path) -> list[Path]:
    """Return `root` where it holds the data set, otherwise the folders directly below that do."""
    with_labels = [
        folder for folder in folders(root, 1) if any(_is_labelled(half) for half in _halves(folder).values())
    ]
    return with_labels[:1] if root in with_labels else with_labels


def _halves(folder: Path) -> dict[str, Path]:
    """Return the folders that hold `images`, by official subset; '' for a data set that is not divided."""
    if child(folder, "images"):
        return {"": folder}
    named = {subset: child(folder, *names) for subset, names in _HALVES.items()}
    return {subset: half for subset, half in named.items() if half is not None and child(half, "images")}


def _is_labelled(half: Path) -> bool:
    images, labels = (pictures(child(half, name)) for name in ("images", "labels"))
    return any(_IMAGE.fullmatch(path.stem) for path in images) and any(_LABEL.fullmatch(path.stem) for path in labels)


def _half(half: Path, root: Path, repairs: list[str]) -> dict[int, dict[str, str]]:
    """Return {number: image and mask} of a folder with images and labels."""
    where = f"{half.name}: " if half != root else ""
    images = numbered(child(half, "images"), _IMAGE, root, repairs)
    labels = numbered(child(half, "labels"), _LABEL, root, repairs)
    files = labels | images
    say_unpaired(repairs, images, labels, f"{where}label", f"{where}no label", lambda number: files[number].name)
    return {
        number: {"image": relative(image, root), "mask": relative(labels.get(number), root)}
        for number, image in images.items()
    }
