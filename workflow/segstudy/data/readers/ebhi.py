"""EBHI-SEG: tiles of colon biopsies (haematoxylin and eosin, 224x224) in six classes, each with one grey mask.

L. Shi et al., "EBHI-Seg: A novel enteroscope biopsy histopathological hematoxylin and eosin image dataset for image
segmentation tasks", Frontiers in Medicine 10, 2023.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.data.images.label_map import binary
from segstudy.data.readers.discovery import (
    best,
    child,
    few,
    folders,
    frame,
    only,
    pictures,
    plain,
    relative,
    say_unpaired,
    subfolders,
)

TITLE = "EBHI-SEG"
LABELS = binary("tissue")
TASK = "segment the tissue of the class (tumour, polyp, normal glands) in tiles of colon biopsies"
SOURCE = "Shi et al., EBHI-Seg: A novel enteroscope biopsy histopathological image dataset, Frontiers in Medicine 2023"
LAYOUT = (
    "EBHI-SEG/<class>/{image,label}/<case>-<slide>-400-<tile>.png, classes Adenocarcinoma, High-grade IN, "
    "Low-grade IN, Normal, Polyp, Serrated adenoma; the root at EBHI-SEG or one or two levels above"
)

STRATA = ("Adenocarcinoma", "High-grade IN", "Low-grade IN", "Normal", "Polyp", "Serrated adenoma")


def recognises(root: Path) -> bool:
    """Return whether `root` holds a class folder with `image` and `label`, at most two levels down."""
    return bool(_bases(root))


def index(root: Path) -> pd.DataFrame:
    """Return one row per tile; stratum is its class, group its case.

    A sample is named `<class>_<file>`, because the same file name stands for different tiles in different classes. The
    case is what stands before the first '-' of the name, in small letters (`GTxc` and `GTXC` are one series) and with a
    doubled `GT` taken for one (`GTGT2012149-2-400-001` shows the picture of `GT2012149-2-400-001`). A case may hold
    tiles of several classes.

    Raises:
        StudyError: two copies of the data set below the root, or two folders of one class.
    """
    base = only(_bases(root), "copies of EBHI-SEG", root, LAYOUT)
    rows: list[dict[str, str]] = []
    repairs: list[str] = []
    for stratum in STRATA:
        copies = [folder for folder in subfolders(base) if plain(folder.name) == plain(stratum)]
        if len(copies) > 1:
            raise StudyError(f"{stratum} is there twice: {few(folder.name for folder in copies)}", where=base)
        if copies and _is_class(copies[0]):
            rows += _class(copies[0], stratum, root, repairs)
        else:
            repairs.append(f"no tiles of class {stratum}")
    others = [
        folder.name for folder in subfolders(base) if _is_class(folder) and plain(folder.name) not in map(plain, STRATA)
    ]
    if others:
        repairs.append(f"left out, none of the six classes: {few(others)}")
    return frame(rows, repairs)


def _bases(root: Path) -> list[Path]:
    known = {plain(stratum) for stratum in STRATA}
    return [
        folder
        for folder in folders(root, 2)
        if any(plain(part.name) in known and _is_class(part) for part in subfolders(folder))
    ]


def _is_class(folder: Path) -> bool:
    return _part(folder, "image") is not None and _part(folder, "label") is not None


def _part(folder: Path, name: str) -> Path | None:
    return child(folder, name, name + "s")


def _class(folder: Path, stratum: str, root: Path, repairs: list[str]) -> list[dict[str, str]]:
    images, masks = (_by_name(_part(folder, part), root, repairs) for part in ("image", "label"))
    say_unpaired(repairs, images, masks, f"{stratum}: masks", f"{stratum}: no mask")
    return [
        {
            "sample": f"{stratum.replace(' ', '_')}_{name}",
            "stratum": stratum,
            "group": _case(name),
            "image": relative(image, root),
            "mask": relative(masks.get(name), root),
        }
        for name, image in images.items()
    ]


def _case(name: str) -> str:
    return re.sub(r"^gtgt", "gt", name.partition("-")[0].strip().casefold())


def _by_name(folder: Path | None, root: Path, repairs: list[str]) -> dict[str, Path]:
    """Return {name without suffix: file}; of one name in several formats the truest."""
    by_name: dict[str, list[Path]] = {}
    for path in pictures(folder):
        by_name.setdefault(path.stem.strip(), []).append(path)
    return {name: best(paths, root, repairs) for name, paths in by_name.items()}
