"""PH2: 200 dermoscopic images of melanocytic lesions with masks and diagnoses.

T. Mendonca et al., "PH2 - A dermoscopic image database for research and benchmarking", EMBC 2013.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from segstudy.data.images.label_map import binary
from segstudy.data.readers.discovery import (
    LOSSY_SUFFIXES,
    SUFFIXES,
    few,
    folders,
    frame,
    natural,
    only,
    plain,
    relative,
    subfolders,
    truest,
)
from segstudy.data.readers.ph2_table import diagnoses

TITLE = "PH2"
LABELS = binary("lesion")
TASK = "segment the skin lesion in dermoscopic images"
SOURCE = "Mendonca et al., PH2 - A dermoscopic image database for research and benchmarking, EMBC 2013"
LAYOUT = (
    "PH2Dataset/PH2 Dataset images/IMDnnn/{IMDnnn_Dermoscopic_Image/IMDnnn.bmp, IMDnnn_lesion/IMDnnn_lesion.bmp}, "
    "PH2_dataset.txt or .xlsx beside; the root at any of these levels"
)

_CASE = re.compile(r"IMD\d+", re.IGNORECASE)


def recognises(root: Path) -> bool:
    """Return whether `root` holds PH2 case folders, at most two levels down."""
    return bool(_image_folders(root))


def index(root: Path) -> pd.DataFrame:
    """Return one row per case folder IMDnnn; stratum is the clinical diagnosis.

    The mask is IMDnnn_lesion in the truest format there is; the colour-class masks in IMDnnn_roi are not lesions
    and are left alone.

    Raises:
        StudyError: two folders of cases below the root, or a table of diagnoses that contradicts itself.
    """
    folder = only(_image_folders(root), "folders of PH2 cases", root, LAYOUT)
    cases = [case for case in subfolders(folder) if _CASE.fullmatch(case.name)]
    rows, repairs = [], []
    beside, lossy, imageless = [], [], []
    for case in sorted(cases, key=lambda p: natural(p.name)):
        image, masks = _case_files(case)
        if image is None:
            imageless.append(case.name)
            continue
        mask = masks[0] if masks else None
        if mask and mask.suffix.casefold() in LOSSY_SUFFIXES:
            lossy.append(case.name)
        beside += [case.name] if len(masks) > 1 else []
        rows.append({"sample": case.name, "image": relative(image, root), "mask": relative(mask, root)})
    if imageless:
        repairs.append(f"left out, no dermoscopic image in the folder: {few(imageless)}")
    if beside:
        repairs.append(f"more than one lesion mask, the lossless one is used: {few(beside)}")
    if lossy:
        repairs.append(f"only a lossy JPEG lesion mask, cut at half: {few(lossy)}")
    repairs += _add_strata(rows, folder, root)
    return frame(rows, repairs)


def _image_folders(root: Path) -> list[Path]:
    """Folders that hold case folders; a case folder holds a subfolder or file of its own name."""
    return [folder for folder in folders(root, 2) if any(_is_case(child) for child in subfolders(folder))]


def _is_case(folder: Path) -> bool:
    if not _CASE.fullmatch(folder.name):
        return False
    return any(plain(child.name).startswith(plain(folder.name)) for child in folder.iterdir())


def _case_files(case: Path) -> tuple[Path | None, list[Path]]:
    """Return the image and the lesion masks of a case, truest first."""
    name = plain(case.name)
    files = [p for p in case.rglob("*") if p.suffix.casefold() in SUFFIXES and not p.name.startswith(".")]
    files = [p for p in files if not plain(p.parent.name).endswith("roi")]
    images = truest(p for p in files if plain(p.stem) == name)
    masks = truest(p for p in files if plain(p.stem) == name + "lesion")
    return (images[0] if images else None), masks


def _add_strata(rows: list[dict[str, str]], images: Path, root: Path) -> list[str]:
    """Fill in the diagnoses from the first table beside or above the images; return what is worth saying."""
    places = dict.fromkeys((images.parent, images, root))
    tables = [
        path
        for suffix in (".txt", ".xlsx", ".csv")
        for place in places
        for path in sorted(place.iterdir())
        if path.suffix.casefold() == suffix and plain(path.stem) == "ph2dataset"
    ]
    if not tables:
        return ["no table of diagnoses (PH2_dataset.txt or .xlsx) beside the images: strata are empty"]
    known = diagnoses(tables[0])
    missing = []
    for row in rows:
        row["stratum"] = known.get(row["sample"].upper(), "")
        missing += [] if row["stratum"] else [row["sample"]]
    repairs = [f"no diagnosis in {tables[0].name}: {few(missing)}"] if missing else []
    absent = len(known) + len(missing) - len(rows)
    if absent > 0:
        repairs.append(f"{tables[0].name} lists {len(known)} cases, {absent} of them have no folder here")
    return repairs
