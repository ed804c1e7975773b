"""Find the folders of images, masks and rois of own data."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError, nearest
from segstudy.data.images.read import SUFFIXES
from segstudy.data.readers.annotation_files import subset_in
from segstudy.data.readers.discovery import few, folders, has_pictures, pictures, plain, relative, subfolders

PLACES = (
    "images/*, masks/* (same name, or the name and _mask), optional rois/*, optional samples.csv; or these in folders "
    "train, val and test, or in one folder for each patient"
)

NAMES = {
    "images": ("images", "image", "imgs", "img"),
    "masks": ("masks", "mask", "labels", "label", "annotations", "groundtruth", "gt", "segmentations", "segmentation"),
    "rois": ("rois", "roi"),
}
_HALVES = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")
DEPTH = 4  # levels of folders within the folder of the images


def top_of(root: Path, layout: Layout) -> Path:
    """Return `root`, or the one folder directly below in which the images lie: an archive unpacked as it was."""
    if bases(root, layout):
        return root
    below = [folder for folder in subfolders(root) if bases(folder, layout)]
    return below[0] if len(below) == 1 else root


def bases(top: Path, layout: Layout) -> list[tuple[str, Path]]:
    """Return (official subset, folder) of each folder in which images and masks lie."""
    if place(top, "images", layout):
        return [("", top)]
    below = subfolders(top)
    halves = {plain(folder.name): folder for folder in below}
    subset_folders = [(subset, halves[name]) for subset, names in _HALVES.items() for name in names if name in halves]
    subset_folders = [(subset, folder) for subset, folder in subset_folders if place(folder, "images", layout)]
    if subset_folders:
        return subset_folders
    parts = [("", p) for p in below if place(p, "images", layout) and place(p, "masks", layout)]
    told = [subset_in(p.name) for _, p in parts]  # Train_Folder, Val_Folder
    if all(told) and len({*told}) == len(parts):
        parts = [(subset, p) for subset, (_, p) in zip(told, parts, strict=True)]
    return parts if len(parts) > 1 else []


def no_subset(top: Path, layout: Layout) -> list[str]:
    """Return the sentence on folders with pictures that are left out beside subsets or patients' folders."""
    used = [folder for _, folder in bases(top, layout)]
    if not used or used == [top]:
        return []
    others = [folder for folder in subfolders(top) if folder not in used and has_pictures(folder)]
    names = few(relative(folder, top) for folder in others)
    subsets = ", ".join(_HALVES)
    return [f"left out, not called {subsets} or without a folder of images in them: {names}"] if others else []


def place(base: Path, kind: str, layout: Layout) -> Path | None:
    """Return the folder of the images, masks or rois below `base`: the one the config names, or one of usual name."""
    given: str | None = getattr(layout, kind)
    if given is not None:
        return base / given if (base / given).is_dir() else None
    by_name = {plain(folder.name): folder for folder in subfolders(base)}
    return next((by_name[name] for name in NAMES[kind] if name in by_name), None)


def annotator_places(base: Path, layout: Layout) -> list[Path | None]:
    """Return the folders of the masks of the second annotator, the third, ...; None where the named one is not here."""
    folders = [base / name if name is not None else place(base, "masks", layout) for name, _ in layout.annotators]
    return [folder if folder is not None and folder.is_dir() else None for folder in folders]


def image_folders(folder: Path, besides: Collection[Path] = ()) -> list[Path]:
    """Return `folder`, or where it holds no pictures itself all folders below it that do; not those `besides`."""
    if pictures(folder):
        return [folder]
    below = [p for p in folders(folder, DEPTH) if not any(p == other or other in p.parents for other in besides)]
    return [p for p in below if pictures(p)]


def not_used(base: Path, layout: Layout) -> list[Path]:
    """Return the folders beside images and masks that hold pictures that are not read."""
    places = [*(place(base, kind, layout) for kind in NAMES), *annotator_places(base, layout)]
    used = [inner for folder in places if folder for inner in (folder, *image_folders(folder))]
    used += [above for folder in used for above in folder.parents]
    return [folder for folder in subfolders(base) if folder not in used and has_pictures(folder)]


def no_folder(base: Path, kind: str, layout: Layout, looks: str = "") -> StudyError:
    """Return the error about a folder of images or masks that is not there, or empty."""
    given: str | None = getattr(layout, kind)
    known = [folder.name for folder in subfolders(base)]
    looks += packed(base)
    folder_there = place(base, kind, layout)
    if folder_there:
        return StudyError(
            f"there are no {kind} in this folder{looks}", where=folder_there, allowed="files " + ", ".join(SUFFIXES)
        )
    what = f"there is no folder '{given}'.{nearest(given, known)}" if given else f"there is no folder of {kind}"
    return StudyError(
        what + looks,
        where=f"{base} (holds the folders {', '.join(known[:8])})" if known else f"{base} (holds no folder)",
        allowed=PLACES,
        remedy=f"name the folder of the {kind} by layout.{kind}, or each file in a column '{kind[:-1]}' of samples.csv",
    )


def packed(base: Path) -> str:
    """Return the half sentence on archives in a folder, which are not looked into; "" where there are none."""
    names = [path.name for path in base.iterdir() if path.suffix.casefold() in _ARCHIVES]
    return f"; {few(names)} is packed: unpack it" if names else ""
