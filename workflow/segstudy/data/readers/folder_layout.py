"""Find the folders of images, masks and rois of own data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError, nearest
from segstudy.data.images.read import SUFFIXES
from segstudy.data.readers.annotation_files import subset_in
from segstudy.data.readers.discovery import few, folders, has_pictures, pictures, plain, relative, subfolders
from segstudy.data.readers.folder_parts import WORDS, Part, parts, without_masks

PLACES = (
    "images/*, masks/* (same name, or the name and _mask), optional rois/*, optional samples.csv; or these in folders "
    "train, val and test, or in one folder for each patient"
)

NAMES = {
    "images": ("images", "image", "imgs", "img"),
    "masks": ("masks", "mask", "labels", "label", "annotations", "groundtruth", "gt", "segmentations", "segmentation"),
    "rois": ("rois", "roi"),
}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")
DEPTH = 4  # levels of folders within the folder of the images


def top_of(root: Path, layout: Layout) -> Path:
    """Return `root`, or the one folder directly below in which the images lie: an archive unpacked as it was."""
    if bases(root, layout):
        return root
    below = [folder for folder in subfolders(root) if bases(folder, layout)]
    return below[0] if len(below) == 1 else root


def bases(top: Path, layout: Layout) -> list[Part]:
    """Return each place in which images and masks lie, with its official subset."""
    if layout.patterned and (found := parts(top, layout)):
        return found
    if place(top, "images", layout):
        return [Part("", top, layout)]
    below = subfolders(top)
    halves = {plain(folder.name): folder for folder in below}
    subset_folders = [(subset, halves[name]) for subset, names in WORDS.items() for name in names if name in halves]
    subset_folders = [(subset, folder) for subset, folder in subset_folders if place(folder, "images", layout)]
    if subset_folders:
        return [Part(subset, folder, layout) for subset, folder in subset_folders]
    inside = [p for p in below if place(p, "images", layout) and place(p, "masks", layout)]
    told = [subset_in(p.name) for p in inside]  # Train_Folder, Val_Folder
    if not (all(told) and len({*told}) == len(inside)):
        told = [""] * len(inside)
    return [Part(subset, p, layout) for subset, p in zip(told, inside, strict=True)] if len(inside) > 1 else []


def no_subset(root: Path, top: Path, layout: Layout) -> list[str]:
    """Return a sentence on folders with pictures that are left out beside subsets, patients or the folder of all."""
    used = {part.base for part in bases(top, layout)}
    said = without_masks(top, layout) if layout.patterned else []
    beside = [folder for folder in subfolders(root) if folder != top and has_pictures(folder)] if top != root else []
    if beside:
        names = few(relative(folder, root) for folder in beside)
        said.append(f"left out, beside {relative(top, root)}, which alone has folders of images and masks: {names}")
    if not used or top in used:
        return said
    others = [folder for folder in subfolders(top) if folder not in used and has_pictures(folder)]
    names = few(relative(folder, top) for folder in others)
    subsets = ", ".join(WORDS)
    said += [f"left out, not called {subsets} or without a folder of images in them: {names}"] if others else []
    return said


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


def not_used(parts: Sequence[Part], root: Path) -> list[str]:
    """Return a sentence for each place whose folders beside images and masks hold pictures that are not read.

    Masks are often not what is called so: DRIVE's `mask` is the field of view.
    """
    said = []
    for base in dict.fromkeys(part.base for part in parts):
        layouts = [part.layout for part in parts if part.base == base]
        places = [place(base, kind, layout) for layout in layouts for kind in NAMES]
        places += [folder for layout in layouts for folder in annotator_places(base, layout)]
        used = {inner for folder in places if folder for inner in (folder, *image_folders(folder))}
        used |= {above for folder in used for above in folder.parents}
        strange = [folder for folder in subfolders(base) if folder not in used and has_pictures(folder)]
        if strange:
            masks = few(relative(p, root) for layout in layouts if (p := place(base, "masks", layout)))
            names = few(relative(folder, root) for folder in strange)
            said.append(f"masks are those in {masks or 'no folder'}; nobody looks into {names}")
    return said


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
