"""CMP facades: 606 rectified pictures of house fronts, every pixel of one of twelve classes.

R. Tylecek, "The CMP Facade Database", research report CTU-CMP-2012-24, Czech Technical University in Prague, 2013.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from segstudy.data.images.label_map import Colour, several
from segstudy.data.readers.discovery import LOSSY_SUFFIXES, few, folders, frame, pictures, relative

# The palette of the label files, in the order of their values from 1 on.
COLOURS: tuple[Colour, ...] = (
    *((0, 0, 170), (0, 0, 255), (0, 85, 255), (0, 170, 255), (0, 255, 255), (85, 255, 170)),
    *((170, 255, 85), (255, 255, 0), (255, 170, 0), (255, 85, 0), (255, 0, 0), (170, 0, 0)),
)
CLASSES = ("facade", "window", "door", "cornice", "sill", "balcony", "blind", "deco", "molding", "pillar", "shop")

TITLE = "CMP facades"
# Value 1 is the data set's own background: what is no part of the house. 0 occurs in no file.
LABELS = several({name: value for value, name in enumerate(CLASSES, start=2)}, background=1)._replace(colours=COLOURS)
TASK = "label every pixel of a house front with the part of the facade it shows"
SOURCE = "Tylecek, The CMP Facade Database, research report CTU-CMP-2012-24, 2013"
LAYOUT = (
    "CMP_facade_DB_base/base/cmp_b0001.{jpg,png,xml} and CMP_facade_DB_extended/extended/cmp_x0001.{jpg,png,xml}; "
    "the root at any of these levels, or above both"
)

_NAME = re.compile(r"cmp_([bx])\d+", re.IGNORECASE)
_PARTS = {"b": "base", "x": "extended"}


def recognises(root: Path) -> bool:
    """Return whether `root` holds facades (cmp_b0001.jpg), at most three levels down."""
    return any(_NAME.fullmatch(path.stem) for folder in folders(root, 3) for path in pictures(folder))


def index(root: Path) -> pd.DataFrame:
    """Return one row per photograph; stratum is base or extended, where both are there.

    Photograph and label file have one name in one folder: the JPEG is the photograph, the PNG holds the classes. The
    two parts of the data set are no official split (the extended part is the more irregular one), so
    `official_subset` stays empty. The outlines in the XML files say what the PNG shows, and are not read.
    """
    files = [path for folder in folders(root, 3) for path in pictures(folder) if _NAME.fullmatch(path.stem)]
    images = [path for path in files if path.suffix.casefold() in LOSSY_SUFFIXES]
    masks = {path.with_suffix(""): path for path in files if path.suffix.casefold() == ".png"}
    rows = [
        {
            "sample": path.stem.casefold(),
            "image": relative(path, root),
            "mask": relative(masks.get(path.with_suffix("")), root),
            "stratum": _PARTS[path.stem[4].casefold()],
        }
        for path in images
    ]
    if len({row["stratum"] for row in rows}) == 1:
        rows = [row | {"stratum": ""} for row in rows]
    photographed = {path.with_suffix("") for path in images}
    lone = sorted(relative(path, root) for name, path in masks.items() if name not in photographed)
    repairs = [f"left out, labels without a photograph (.jpg) beside them: {few(lone)}"] if lone else []
    return frame(rows, repairs)
