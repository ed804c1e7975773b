"""HRF: 45 fundus photographs of 3504x2336 pixels, 15 each of healthy, diabetic and glaucomatous eyes, with vessels.

A. Budai et al., "Robust vessel segmentation in fundus images", International Journal of Biomedical Imaging, 2013.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from segstudy.data.images.label_map import binary
from segstudy.data.readers.discovery import (
    LOSSY_SUFFIXES,
    folders,
    frame,
    natural,
    pictures,
    plain,
    relative,
    say_unpaired,
)
from segstudy.data.readers.two_annotators import one_file

TITLE = "HRF"
LABELS = binary("vessel")
TASK = "segment the blood vessels in fundus photographs of high resolution"
SOURCE = "Budai et al., Robust vessel segmentation in fundus images, International Journal of Biomedical Imaging 2013"
LAYOUT = (
    "HRF/{images/NN_{h,dr,g}.jpg, manual1/NN_x.tif, mask/NN_x_mask.tif}, or all files in one folder; the root at HRF "
    "or one or two levels above"
)

STRATA = {"h": "healthy", "dr": "diabetic_retinopathy", "g": "glaucoma"}

_NAME = re.compile(r"(\d+)[ _-]+(h|dr|g)([ _-]*mask)?", re.IGNORECASE)
_PARTS = {"image": "image", "mask": "manual1 (vessels)", "roi": "mask (field of view)"}


def recognises(root: Path) -> bool:
    """Return whether `root` holds photographs named as HRF's and their vessels or fields of view."""
    parts = {part for _, part in _files(root)}
    return "image" in parts and len(parts) > 1


def index(root: Path) -> pd.DataFrame:
    """Return one row per photograph NN_h, NN_dr or NN_g; stratum is the diagnosis, sample and group that name.

    The release has 15 patients of each diagnosis: 01_h and 01_dr are different people, and each photograph is a group
    of its own. `manual1` is the truth, `mask` the field of view, of which some copies lack several.

    Raises:
        StudyError: two files for one part of a photograph.
    """
    by_part = _files(root)
    rows: list[dict[str, str]] = []
    repairs: list[str] = []
    names = {part: sorted({name for name, p in by_part if p == part}, key=natural) for part in _PARTS}
    for name in names["image"]:
        files = {part: one_file(by_part.get((name, part), []), root, repairs, LAYOUT) for part in _PARTS}
        stratum = STRATA[name.partition("_")[2]]
        rows.append(
            {"sample": name, "group": name, "stratum": stratum}
            | {part: relative(path, root) for part, path in files.items()}
        )
    for part in ("mask", "roi"):
        say_unpaired(repairs, names["image"], names[part], _PARTS[part], f"no {_PARTS[part]}")
    return frame(rows, repairs)


def _files(root: Path) -> dict[tuple[str, str], list[Path]]:
    """Return {(NN_x, part): files} of everything named as in HRF, at most three folders down."""
    files: dict[tuple[str, str], list[Path]] = {}
    for folder in folders(root, 3):
        for path in pictures(folder):
            match = _NAME.fullmatch(path.stem.strip())
            if match:
                name = f"{int(match[1]):02d}_{match[2].lower()}"
                part = "roi" if match[3] else _part(plain(folder.name), path)
                files.setdefault((name, part), []).append(path)
    return files


def _part(folder: str, path: Path) -> str:
    """Return what a file shows by its folder; where all share one, photographs are JPEG and drawings are not."""
    if folder.startswith("manual") or folder.endswith("manualsegm"):
        return "mask"
    if folder in ("mask", "masks") or folder.endswith("fovmask"):
        return "roi"
    lossy = path.suffix.casefold() in LOSSY_SUFFIXES
    return "image" if lossy or folder in ("image", "images") else "mask"
