"""Any folder of images and masks: names pair them, an optional table says the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from segstudy.config.layout import Layout
from segstudy.config.readers import READERS
from segstudy.core.errors import StudyError, nearest
from segstudy.core.names import file_columns, readable
from segstudy.data.images.label_map import binary
from segstudy.data.images.locate import locate
from segstudy.data.images.read import files_of
from segstudy.data.readers.discovery import few, frame, pictures, relative, subfolders
from segstudy.data.readers.folder_images import by_page, images_in
from segstudy.data.readers.folder_layout import (
    NAMES,
    PLACES,
    annotator_places,
    bases,
    image_folders,
    no_folder,
    no_subset,
    not_used,
    place,
    top_of,
)
from segstudy.data.readers.folder_pairs import SUFFIXES, Affixes, pair
from segstudy.data.readers.folder_table import find_table, says, tables_not_read, with_table
from segstudy.data.readers.left_out import files_not_read, folders_not_read
from segstudy.data.readers.other_labels import other_labels
from segstudy.data.readers.sample_names import named
from segstudy.data.readers.subset_hints import subsets_not_read
from segstudy.data.readers.table_file import read_table

TITLE = "a folder of images and masks"
LABELS = binary("foreground")
TASK = "segment the foreground"
SOURCE = "own data"
LAYOUT = PLACES


def recognises(root: Path) -> bool:
    """Return whether `root` holds images with masks of the same names, and no data set that has its own reader."""
    if _other_reader(root):
        return False
    parts = bases(top_of(root, Layout()), Layout())
    for subset, base, _, _ in parts:
        images, masks = (place(base, kind, Layout()) for kind in ("images", "masks"))
        names = {path.stem for path in pictures(images)}
        if len(names) == 1 and len(parts) > 1 and not subset and pictures(masks):  # a folder for each image
            return True
        if masks and any(folder.name in names and pictures(folder) for folder in subfolders(masks)):
            return True
        for path in pictures(masks):
            if path.stem in names or any(path.stem.removesuffix(suffix) in names for suffix in SUFFIXES):
                return True
    return False


def index(root: Path, layout: Layout | None = None) -> pd.DataFrame:
    """Return one row per image.

    Folders are found by the names in `NAMES`, directly below `root` or in `train`, `val`, `test` and `unlabelled`,
    which are then the official subsets, or in several folders of other names; see `folder_pairs.pair` for the pairs.
    A table overrules the names; images that it does not name are left out.

    Raises:
        StudyError: no images or masks, nothing that pairs, one image with two masks, or a table that does not fit.
    """
    layout = layout or Layout()
    repairs: list[str] = []
    top = top_of(root, layout)
    path = find_table(root, top, layout)
    table = read_table(path, repairs) if path else []
    rows = _listed(root, top, layout, repairs, masks_needed=not says(table, "mask"))
    if path:
        rows = with_table(rows, path, table, _places(root, top, layout), root, repairs)
    other = _other_reader(root)
    if not rows:
        raise no_folder(top, "images", layout, f"; this looks like {other}" if other else "")
    _check_annotators(rows, top, layout, root)
    if not any(row.get("mask") for row in rows):
        raise _nothing_pairs(rows, top, root, layout)
    if other:
        repairs.append(f"this looks like {other}, which has a reader of its own that knows more of it than names tell")
    repairs += _left_out(rows, top, root, layout, path)
    repairs += tables_not_read(root, top, [part.base for part in bases(top, layout)], path)
    repairs += subsets_not_read(rows, root, path)
    set_groups(rows, layout, root)
    repairs += _ungrouped(rows)
    return frame(named(by_page(rows, root) if layout.pages else rows, repairs), repairs)


def _listed(root: Path, top: Path, layout: Layout, repairs: list[str], masks_needed: bool) -> list[dict[str, str]]:
    """Return a row for each image in the folders, with what its name tells."""
    rows = []
    parts = bases(top, layout)
    repairs += no_subset(top, layout)
    repairs += not_used(parts, root) if masks_needed else []
    for subset, base, inside, star in parts:
        folder, masks = place(base, "images", inside), place(base, "masks", inside)
        if folder is None:
            continue
        if masks is None and masks_needed and subset not in ("test", "unlabelled"):
            raise no_folder(base, "masks", inside)
        before = f"{readable(star or base.name)}/" if star or (len(parts) > 1 and not subset and base != top) else ""
        for inner in image_folders(folder, _others(base, folder, inside)):
            below = inner.relative_to(folder)
            start = "" if inner == folder else f"{readable(below.as_posix())}/"
            in_folder = _in_one_folder(inner, base, below, root, inside, repairs)
            if len(parts) > 1 and not subset and len(in_folder) == 1:
                before = _alone(in_folder, base, masks, root, before)
            for name, row in in_folder.items():
                rows.append({"sample": f"{before}{start}{name}", "official_subset": subset, **row})
    _check_own_masks(rows, root)
    return rows


def _alone(row_of: dict[str, dict[str, str]], base: Path, masks: Path | None, root: Path, before: str) -> str:
    """Give the one image of a folder all masks there, one for each object; return what stands before its name.

    So come the cells of the Data Science Bowl 2018: `<id>/images/<id>.png`, `<id>/masks/*.png`.
    """
    ((name, row),) = row_of.items()
    if masks is not None and not row.get("mask") and pictures(masks):
        row["mask"] = f"{relative(masks, root)}/*"
    return "" if name == readable(base.name) else before


def _check_annotators(rows: list[dict[str, str]], top: Path, layout: Layout, root: Path) -> None:
    """Raise where no image has a mask of an annotator that the config names."""
    for number, (folder, suffix) in enumerate(layout.annotators, start=2):
        if any(row.get("second_mask" if number == 2 else f"mask_{number}") for row in rows):
            continue
        known = [p.name for part in bases(top, layout) for p in subfolders(part.base)]
        near = nearest(folder, known) if folder and folder not in known else ""
        raise StudyError(
            f"no image has a mask of annotator {number}: folder {folder or 'of the masks'}, suffix "
            f"{suffix if suffix is not None else 'any'}.{near}",
            where=root,
            remedy="mend layout.annotator_masks and layout.annotator_suffixes (of two annotators: layout.second_masks, "
            "layout.second_suffix), or take this annotator out",
        )


def _check_own_masks(rows: list[dict[str, str]], root: Path) -> None:
    """Raise where images of one name in several folders would share a mask."""
    by_mask: dict[str, list[str]] = {}
    for row in rows:
        by_mask.setdefault(row.get("mask", ""), []).append(row["image"])
    shared = next((mask for mask, images in by_mask.items() if mask and len(images) > 1), None)
    if shared is not None:
        raise StudyError(
            f"one mask fits {len(by_mask[shared])} images: {shared}, {few(by_mask[shared])}",
            where=root,
            allowed="masks in folders like those of the images, or images of different names",
            remedy="put the masks into folders of the same names, or name the pairs in columns image and mask of "
            "samples.csv",
        )


def _others(base: Path, folder: Path, layout: Layout) -> list[Path]:
    """Return the folders of masks and regions, where they are not that of the images itself."""
    places = (place(base, "masks", layout), place(base, "rois", layout), *annotator_places(base, layout))
    return [p for p in places if p is not None and p != folder]


def _in_one_folder(
    folder: Path, base: Path, below: Path, root: Path, layout: Layout, repairs: list[str]
) -> dict[str, dict[str, str]]:
    """Return the row of each image in one folder by its name; `below` leads there from the folder of the images.

    Masks of images in folders lie in folders of the same names, or all in one.
    """
    masks, rois = (_inner(place(base, kind, layout), below) for kind in ("masks", "rois"))
    images = images_in(folder, masks, root, layout)
    bare = {layout.bare(name): path for name, path in images.items()}
    others = tuple(suffix for _, suffix in layout.annotators if suffix)
    first = Affixes(layout.mask_prefix, layout.mask_suffix, others)
    wanted = [("mask", masks, first), ("roi", rois, Affixes())]
    for number, (drawn, (_, suffix)) in enumerate(zip(annotator_places(base, layout), layout.annotators, strict=True)):
        column = "second_mask" if number == 0 else f"mask_{number + 2}"
        wanted.append((column, _inner(drawn, below), Affixes(layout.mask_prefix, suffix)))
    by_column = {}
    for column, place_of, affixes in wanted:
        if place_of is not None:
            by_column[column], said = pair(bare, place_of, root, affixes)
            repairs += said
    return {
        name: {
            "image": relative(path, root),
            **{column: files.get(layout.bare(name), "") for column, files in by_column.items()},
        }
        for name, path in images.items()
    }


def _inner(folder: Path | None, below: Path) -> Path | None:
    """Return the folder `below` another, where it is there; else that one itself."""
    return folder / below if folder and (folder / below).is_dir() else folder


def _places(root: Path, top: Path, layout: Layout) -> dict[str, list[Path]]:
    """Return the folders in which a table's files of each kind are looked for."""
    parts = bases(top, layout)
    by_role = {kind: [p for part in parts if (p := place(part.base, kind, part.layout))] for kind in NAMES}
    further = [p for part in parts for p in annotator_places(part.base, part.layout) if p]
    by_role["further_masks"] = [*further, *by_role["masks"]]
    return {kind: list(dict.fromkeys((root, top, *folders))) for kind, folders in by_role.items()}


def _left_out(rows: list[dict[str, str]], top: Path, root: Path, layout: Layout, table: Path | None) -> list[str]:
    """Return a sentence for each reason why files in the folders of images and masks are not read."""
    named = [root / row[column] for row in rows for column in file_columns(row) if row.get(column)]
    used = {locate(file).file for path in named for file in files_of(path)}
    inside = {file.parent for file in used}
    inside |= {above for folder in inside for above in folder.parents}
    said = []
    for _, base, own, _ in bases(top, layout):
        images = place(base, "images", own)
        of_kinds = (place(base, kind, own) for kind in NAMES)
        for folder in dict.fromkeys([images, *of_kinds, *annotator_places(base, own)]):
            if folder is None:
                continue
            besides = _others(base, folder, own)
            inner = image_folders(folder, besides)
            said += [line for one in inner for line in files_not_read(one, table)]
            said += folders_not_read(folder, [*inner, *besides], inside, root)
            unpaired = [relative(p, root) for one in inner for p in pictures(one) if p not in used]
            if unpaired and folder != images:
                said.append(f"{folder.name}: no image is called like these, left out: {few(unpaired)}")
            elif unpaired and (layout.image_prefix or layout.image_suffix):
                said.append(f"{folder.name}: left out, no name of an image or a mask: {few(unpaired)}")
    return list(dict.fromkeys(said))


def set_groups(rows: list[dict[str, str]], layout: Layout, root: Path) -> None:
    """Fill in the groups that names tell, where the table has told none."""
    if layout.group_pattern is None:
        return
    pattern = re.compile(layout.group_pattern)
    missing = []
    for row in rows:
        match = pattern.search(row["sample"])
        if match:
            row["group"] = row.get("group") or (match[1] if pattern.groups else match[0]) or ""
        if not row.get("group"):
            missing.append(row["sample"])
    if missing:
        raise StudyError(
            f"layout.group_pattern '{layout.group_pattern}' finds no group in {len(missing)} of {len(rows)} names: "
            f"{few(missing)}",
            where=root,
            remedy="mend the pattern, or name the groups in a column 'group' of samples.csv",
        )


def _ungrouped(rows: list[dict[str, str]]) -> list[str]:
    """Return the sentence on images in several folders, which may be patients, without groups."""
    parts = list(dict.fromkeys(row["sample"].rpartition("/")[0] for row in rows if not row.get("group")))
    if not any(parts):
        return []
    return [
        f"images lie in {len(parts)} folders: {few(parts)}; where a folder is a patient, set layout.group_pattern to "
        "'^[^/]+', or a split divides them"
    ]


def _other_reader(root: Path) -> str:
    """Return the title of the data set whose own reader recognises `root`, or an empty string."""
    from segstudy.data.readers.registry import reader_module

    modules = (reader_module(reader) for reader in READERS if reader != "folder")
    return next((str(module.TITLE) for module in modules if module.recognises(root)), "")


def _nothing_pairs(rows: list[dict[str, str]], top: Path, root: Path, layout: Layout) -> StudyError:
    masks = [p for part in bases(top, layout) if (p := place(part.base, "masks", part.layout))]
    files = [path.name for folder in masks for path in pictures(folder)]
    if not files and (other := next(filter(None, map(other_labels, masks or [top])), None)):
        return other
    not_read = "".join(f"; {said}" for folder in masks for said in files_not_read(folder)) if not files else ""
    return StudyError(
        f"no mask is called like an image: images are {few(Path(row['image']).name for row in rows[:3])}, "
        f"masks {few(files[:3]) or 'none'}{not_read}",
        where=root,
        allowed="a mask has the name of its image, or that name and layout.mask_suffix",
        remedy="set layout.mask_suffix, or where names begin differently (img_1, mask_1) layout.image_prefix and "
        "layout.mask_prefix, where they end differently (1_sat, 1_mask) layout.image_suffix and layout.mask_suffix; "
        "or rename the files, or name the pairs in columns image and mask of samples.csv",
    )
