"""Folders of images and of masks with a folder for each subset in both: MMSegmentation's layout, and that of ADE20K.

B. Zhou et al., "Scene Parsing through ADE20K Dataset", CVPR 2017 (ADEChallengeData2016).
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.data.images.label_map import binary
from segstudy.data.readers.annotation_files import by_stem, classes_of_values, read_text, subset_in
from segstudy.data.readers.discovery import folders, frame, only, pictures, plain, relative, subfolders
from segstudy.data.readers.folder import set_groups
from segstudy.data.readers.folder_pairs import Affixes, pair
from segstudy.data.readers.sample_names import named

TITLE = "data in MMSegmentation's layout"
LABELS = binary("foreground")
TASK = "label every pixel with its class"
SOURCE = "own data in MMSegmentation's layout, or ADE20K (Zhou et al., CVPR 2017)"
LAYOUT = (
    "images/{training,validation}/*, annotations/{training,validation}/*; or img_dir/{train,val}, ann_dir/{train,val}"
)

_IMAGES = ("images", "imgdir", "image", "imgs", "leftimg8bit")
_MASKS = ("annotations", "anndir", "labels", "masks", "gtfine")
_ADE_NAMES = "objectInfo150.txt"


def recognises(root: Path) -> bool:
    """Return whether `root` holds folders of images and masks with the same subset in both, two levels down at most."""
    return bool(_tops(root))


def proposal(root: Path) -> dict[str, Any]:
    """Return `classes`, where nothing names them: made-up names for the values of the first masks."""
    if classes(root, Layout()):
        return {}
    masks = [path for _, folder in _pairs(_top(root)) for path in pictures(folder)]
    return classes_of_values(masks, void(root, Layout()))


def classes(root: Path, layout: Layout) -> dict[str, int | str]:
    """Return {class: its value} of ADE20K, whose file objectInfo150.txt names them; elsewhere nothing does.

    Raises:
        StudyError: that file has another layout.
    """
    path = _top(root) / _ADE_NAMES
    if not path.is_file():
        return {}
    rows = list(csv.DictReader(read_text(path).splitlines(), delimiter="\t"))
    try:
        return {row["Name"].partition(",")[0].strip(): int(row["Idx"]) for row in rows}
    except (KeyError, ValueError, AttributeError):
        raise StudyError(
            "the table of classes has no columns Idx and Name", where=path, remedy="restore it, or write 'classes:'"
        ) from None


def void(root: Path, layout: Layout) -> list[int | str]:
    """Return the value whose pixels count for nothing: 0 in ADE20K, elsewhere MMSegmentation's 255."""
    return [0] if (_top(root) / _ADE_NAMES).is_file() else [255]


def index(root: Path, layout: Layout | None = None) -> pd.DataFrame:
    """Return one row for each image; the folders are the official subsets.

    Raises:
        StudyError: two masks fit one image, or two images have one name.
    """
    top, repairs, rows = _top(root), list[str](), list[dict[str, str]]()
    affixes = Affixes(layout.mask_prefix, layout.mask_suffix) if layout else Affixes()
    for images, masks in _pairs(top):
        files = by_stem(images, root)
        mask_of, said = pair(files, masks, root, affixes) if masks else ({}, [])
        repairs += said
        for name, path in files.items():
            subset = subset_in(images.name)
            row = {"sample": name, "image": relative(path, root), "mask": mask_of.get(name, "")}
            rows.append(row | {"official_subset": subset if masks else "unlabelled"})
    set_groups(rows, layout or Layout(), root)
    return frame(named(rows, repairs), repairs)


def _tops(root: Path) -> list[Path]:
    return [
        path for path in folders(root, 2) if any(pictures(masks) and pictures(images) for images, masks in _pairs(path))
    ]


def _top(root: Path) -> Path:
    return only(_tops(root), "folders with images and annotations of the same subsets", root, LAYOUT)


def _pairs(top: Path) -> list[tuple[Path, Path | None]]:
    """Return (images, masks) of each subset; no masks where a subset has none."""
    named = {plain(folder.name): folder for folder in subfolders(top)}
    images = next((named[name] for name in _IMAGES if name in named), None)
    masks = next((named[name] for name in _MASKS if name in named), None)
    if images is None or masks is None:
        return []
    drawn = {subset_in(folder.name): folder for folder in subfolders(masks)}
    parts = [folder for folder in subfolders(images) if subset_in(folder.name)]
    return [(folder, drawn.get(subset_in(folder.name))) for folder in parts]
