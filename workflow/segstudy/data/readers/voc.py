"""Pascal VOC: JPEGImages, SegmentationClass and ImageSets; as CVAT, LabelMe and others export it too.

M. Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 88, 2010.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.core.names import readable
from segstudy.data.images.label_map import binary
from segstudy.data.readers.annotation_files import by_stem, classes_of_values, read_text, subset_in
from segstudy.data.readers.discovery import few, folders, frame, only, pictures, relative
from segstudy.data.readers.folder import set_groups
from segstudy.data.readers.sample_names import named

TITLE = "Pascal VOC segmentation"
LABELS = binary("foreground")
TASK = "label every pixel with the class of its object"
SOURCE = "Everingham et al., The Pascal Visual Object Classes Challenge, IJCV 88, 2010; or own data in its layout"
LAYOUT = "JPEGImages/<sample>.jpg, SegmentationClass/<sample>.png, ImageSets/Segmentation/{train,val,test}.txt"

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
BORDER = 255  # value of the border of objects, which counts for nothing
_UNCOUNTED = ("__ignore__", "_ignore_")
VOID_NAMES = ("void", "ignore", *_UNCOUNTED)
_BACKGROUND = ("background", "_background_")
_YEAR = re.compile(r"VOC20\d\d")
_MASKS = ("SegmentationClass", "SegmentationClassPNG")


def recognises(root: Path) -> bool:
    """Return whether `root` holds JPEGImages beside SegmentationClass, at most three levels down."""
    return bool(_tops(root))


def proposal(root: Path) -> dict[str, Any]:
    """Return `classes`, where nothing names them: made-up names for the values of the first masks."""
    return (
        {} if classes(root, Layout()) else classes_of_values(pictures(_mask_folder(_top(root))), void(root, Layout()))
    )


def classes(root: Path, layout: Layout) -> dict[str, int | str]:
    """Return {class: its value or colour in the masks}.

    They are those of labelmap.txt (CVAT; colours), of class_names.txt (LabelMe; values in its order), or, in a folder
    VOC2012 and the like, VOC's own twenty. Elsewhere nothing names them.

    Raises:
        StudyError: labelmap.txt is no list of names and colours.
    """
    top = _top(root)
    foreground = {name: value for name, value in _labels(top).items() if name not in (*_BACKGROUND, *VOID_NAMES)}
    if not foreground and _YEAR.fullmatch(top.name):
        return {name: value for value, name in enumerate(CLASSES, start=1)}
    return foreground


def void(root: Path, layout: Layout) -> list[int | str]:
    """Return what counts for nothing: 255 and the value that class_names.txt calls void, or labelmap.txt's colour."""
    labels = _labels(_top(root))
    named = [value for name, value in labels.items() if name in VOID_NAMES]
    return named if any(isinstance(value, str) for value in labels.values()) else [*dict.fromkeys([*named, BORDER])]


def index(root: Path, layout: Layout | None = None) -> pd.DataFrame:
    """Return one row for each image that has a mask or is listed; the lists are the official subsets.

    Raises:
        StudyError: an image is in two lists, or two files have one name.
    """
    top, repairs = _top(root), list[str]()
    masks = by_stem(_mask_folder(top), root, repairs)
    images = by_stem(top / "JPEGImages", root)
    subsets = _subsets(top, {*images, *masks})
    missing = sorted((set(masks) | set(subsets)) - set(images))
    if missing:
        repairs.append(f"{len(missing)} masks or entries of lists without an image are left out: {few(missing)}")
    unused = sorted(set(images) - set(masks) - set(subsets))
    if unused:
        repairs.append(f"{len(unused)} images without a mask, in no list, are left out: {few(unused)}")
    rows = [
        {
            "sample": name,
            "image": relative(path, root),
            "mask": relative(masks.get(name), root),
            "official_subset": subsets.get(name, ""),
        }
        for name, path in images.items()
        if name in masks or name in subsets
    ]
    set_groups(rows, layout or Layout(), root)
    return frame(named(rows, repairs), repairs)


def _tops(root: Path) -> list[Path]:
    return [path for path in folders(root, 3) if (path / "JPEGImages").is_dir() and _mask_folder(path)]


def _top(root: Path) -> Path:
    return only(_tops(root), "folders with JPEGImages and SegmentationClass", root, LAYOUT)


def _mask_folder(top: Path) -> Path | None:
    return next((top / name for name in _MASKS if (top / name).is_dir()), None)


def _subsets(top: Path, known: Collection[str]) -> dict[str, str]:
    """Return {image: official subset} of the lists train.txt, val.txt and test.txt.

    A line is a name, which may hold spaces, or several names (`known` are those of files).
    """
    subset_of: dict[str, str] = {}
    for path in sorted((top / "ImageSets" / "Segmentation").glob("*.txt")):
        subset = subset_in(path.name)
        lines = read_text(path).splitlines() if subset else ()
        for name in (name for line in lines for name in _listed(readable(line.strip()), known)):
            if subset_of.setdefault(name, subset) != subset:
                raise StudyError(
                    f"{name} is listed as {subset_of[name]} and as {subset}",
                    where=path,
                    remedy="take it out of one list",
                )
    return subset_of


def _listed(line: str, known: Collection[str]) -> list[str]:
    """Return the names in a line of a list."""
    line, words = line.removeprefix('"').removesuffix('"'), line.split()
    return words if line not in known and any(word in known for word in words) else [line] if line else []


def _labels(top: Path) -> dict[str, int | str]:
    """Return {name: value or colour}, background and void too."""
    names, colours = top / "class_names.txt", top / "labelmap.txt"
    if colours.is_file():
        lines = read_text(colours).splitlines()
        return dict(_colour(line, colours) for line in lines if line.strip() and not line.startswith("#"))
    if names.is_file():
        lines = [line.strip() for line in read_text(names).splitlines() if line.strip()]
        # LabelMe writes the background first, as value 0; its own __ignore__ is -1 and has no line that counts.
        return {name: value for value, name in enumerate(name for name in lines if name not in _UNCOUNTED)}
    return {}


def _colour(line: str, path: Path) -> tuple[str, str]:
    name, _, rest = line.partition(":")
    try:
        red, green, blue = (int(part) for part in rest.partition(":")[0].split(","))
        return name, f"#{bytes((red, green, blue)).hex()}"
    except ValueError:
        raise StudyError(
            f"'{line[:80]}' names no colour", where=path, allowed="lines such as cat:128,0,0::, as CVAT writes them"
        ) from None
