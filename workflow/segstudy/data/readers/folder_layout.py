"""Find the folders of images, masks and rois of own data."""

from __future__ import annotations

from pathlib import Path

from segstudy.config.datasets import Layout
from segstudy.core.errors import StudyError, nearest
from segstudy.data.images.read import SUFFIXES
from segstudy.data.readers.discovery import LOSSY_SUFFIXES, few, pictures, plain, relative, subfolders

PLACES = (
    "images/*, masks/* (same name, or the name and _mask), optional rois/*, optional samples.csv; or these in folders "
    "train, val and test"
)

NAMES = {
    "images": ("images", "image", "imgs", "img"),
    "masks": ("masks", "mask", "labels", "label", "annotations", "groundtruth", "gt", "segmentations", "segmentation"),
    "rois": ("rois", "roi"),
}
_HALVES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
    "unlabelled": ("unlabelled", "unlabeled"),
}


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
    halves = {plain(folder.name): folder for folder in subfolders(top)}
    found = [(subset, halves[name]) for subset, names in _HALVES.items() for name in names if name in halves]
    return [(subset, folder) for subset, folder in found if place(folder, "images", layout)]


def place(base: Path, kind: str, layout: Layout) -> Path | None:
    """Return the folder of the images, masks or rois below `base`: the one the config names, or one of usual name."""
    given: str | None = getattr(layout, kind)
    if given is not None:
        return base / given if (base / given).is_dir() else None
    folders = {plain(folder.name): folder for folder in subfolders(base)}
    return next((folders[name] for name in NAMES[kind] if name in folders), None)


def images_in(folder: Path, masks: Path | None, root: Path, layout: Layout) -> dict[str, Path]:
    """Return {stem: image}.

    Where the masks lie in the same folder, those with the suffix are masks; without one, what is lossless beside a
    JPEG of its name.
    """
    found: dict[str, list[Path]] = {}
    for path in pictures(folder):
        if folder == masks and layout.mask_suffix and path.stem.endswith(layout.mask_suffix):
            continue
        found.setdefault(path.stem, []).append(path)
    for stem, paths in found.items():
        lossy = [path for path in paths if path.suffix.casefold() in LOSSY_SUFFIXES]
        if folder == masks and not layout.mask_suffix and len(lossy) == 1 and len(paths) == 2:
            found[stem] = lossy
        elif len(paths) > 1:
            raise StudyError(
                f"several images are called '{stem}': {few(relative(path, root) for path in paths)}",
                where=root,
                remedy="keep one of them, or give them different names; where one is the mask of the other, give masks "
                "a folder of their own, or a suffix and layout.mask_suffix",
            )
    return {stem: paths[0] for stem, paths in found.items()}


def not_used(base: Path, layout: Layout) -> list[Path]:
    """Return the folders beside images and masks that hold pictures that are not read."""
    used = [place(base, kind, layout) for kind in NAMES]
    return [folder for folder in subfolders(base) if folder not in used and pictures(folder)]


def no_folder(base: Path, kind: str, layout: Layout, looks: str = "") -> StudyError:
    """Return the error about a folder of images or masks that is not there, or empty."""
    given: str | None = getattr(layout, kind)
    known = [folder.name for folder in subfolders(base)]
    found = place(base, kind, layout)
    if found:
        return StudyError(
            f"there are no {kind} in this folder{looks}", where=found, allowed="files " + ", ".join(SUFFIXES)
        )
    what = f"there is no folder '{given}'.{nearest(given, known)}" if given else f"there is no folder of {kind}"
    return StudyError(
        what + looks,
        where=f"{base} (holds the folders {', '.join(known[:8])})" if known else f"{base} (holds no folder)",
        allowed=PLACES,
        remedy=f"name the folder of the {kind} by layout.{kind}, or each file in a column '{kind[:-1]}' of samples.csv",
    )
