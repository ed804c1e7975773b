"""Where the images and masks of a folder of one's own lie."""

from __future__ import annotations

from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.datasets.listing import few, pictures, plain, relative, subfolders
from segstudy.errors import StudyError, nearest

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
    """Return `root`, or its only folder where the images lie in there: an archive unpacked into a folder of its own."""
    below = subfolders(root)
    if bases(root, layout) or len(below) != 1 or not bases(below[0], layout):
        return root
    return below[0]


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
    """Return {stem: image}; where the masks lie in the same folder, those with the suffix are masks."""
    found: dict[str, list[Path]] = {}
    for path in pictures(folder):
        if folder == masks and layout.mask_suffix and path.stem.endswith(layout.mask_suffix):
            continue
        found.setdefault(path.stem, []).append(path)
    for stem, paths in found.items():
        if len(paths) > 1:
            raise StudyError(
                f"several images are called '{stem}': {few(relative(path, root) for path in paths)}",
                where=root,
                remedy="keep one of them, or give them different names; where one is the mask of the other, give masks "
                "a folder of their own, or a suffix and layout.mask_suffix",
            )
    return {stem: paths[0] for stem, paths in found.items()}


def no_folder(base: Path, kind: str, layout: Layout) -> StudyError:
    """Return the error about a folder of images or masks that is not there."""
    given: str | None = getattr(layout, kind)
    known = [folder.name for folder in subfolders(base)]
    what = f"there is no folder '{given}'.{nearest(given, known)}" if given else f"there is no folder of {kind}"
    return StudyError(
        what,
        where=f"{base} (holds the folders {', '.join(known[:8])})" if known else f"{base} (holds no folder)",
        allowed=PLACES,
        remedy=f"name the folder of the {kind} by layout.{kind}, or each file in a column '{kind[:-1]}' of samples.csv",
    )
