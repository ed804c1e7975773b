"""Any folder of images and masks: names pair them, an optional table says the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from segstudy.config.datasets import READERS, Layout
from segstudy.core.errors import StudyError, nearest
from segstudy.data.images.label_map import binary
from segstudy.data.readers.discovery import few, frame, pictures, relative
from segstudy.data.readers.folder_layout import NAMES, PLACES, bases, images_in, no_folder, not_used, place, top_of
from segstudy.data.readers.folder_pairs import SUFFIXES, pair
from segstudy.data.readers.folder_table import FILE_COLUMNS, Row, file_of, problem, read_table

TITLE = "a folder of images and masks"
LABELS = binary("foreground")
TASK = "segment the foreground"
SOURCE = "own data"
LAYOUT = PLACES


def recognises(root: Path) -> bool:
    """Return whether `root` holds images with masks of the same names, and no data set that has its own reader."""
    if _other_reader(root):
        return False
    for _, base in bases(top_of(root, Layout()), Layout()):
        images, masks = (place(base, kind, Layout()) for kind in ("images", "masks"))
        names = {path.stem for path in pictures(images)}
        for path in pictures(masks):
            if path.stem in names or any(path.stem.removesuffix(suffix) in names for suffix in SUFFIXES):
                return True
    return False


def index(root: Path, layout: Layout | None = None) -> pd.DataFrame:
    """Return one row per image.

    Folders are found by the names in `NAMES`, directly below `root` or in `train`, `val`, `test` and `unlabelled`,
    which are then the official subsets; see `folder_pairs.pair` for the pairs. A table overrules
    the names; images that it does not name are left out.

    Raises:
        StudyError: no images or masks, nothing that pairs, one image with two masks, or a table that does not fit.
    """
    layout = layout or Layout()
    repairs: list[str] = []
    top = top_of(root, layout)
    table = _table(top, layout)
    rows = _listed(root, layout, repairs, masks_needed=table is None or not _says(table[1], "mask"))
    if table is not None:
        rows = _with_table(rows, *table, root, layout, repairs)
    other = _other_reader(root)
    if not rows:
        raise no_folder(top, "images", layout, f"; this looks like {other}" if other else "")
    if not any(row.get("mask") for row in rows):
        raise _nothing_pairs(rows, root, layout)
    if other:
        repairs.append(f"this looks like {other}, which has a reader of its own that knows more of it than names tell")
    set_groups(rows, layout, root)
    return frame(named(rows, repairs), repairs)


def _listed(root: Path, layout: Layout, repairs: list[str], masks_needed: bool) -> list[dict[str, str]]:
    """Return a row for each image in the folders, with what its name tells."""
    rows = []
    for subset, base in bases(top_of(root, layout), layout):
        folder, masks, rois = (place(base, kind, layout) for kind in ("images", "masks", "rois"))
        if folder is None:
            continue
        if masks is None and masks_needed and subset not in ("test", "unlabelled"):
            raise no_folder(base, "masks", layout)
        images = images_in(folder, masks, root, layout)
        strange = not_used(base, layout)
        if (
            masks_needed and layout.masks is None and strange
        ):  # masks are often not what is called so: DRIVE's `mask` is the field of view
            names = few(relative(other, root) for other in strange)
            repairs.append(f"masks are those in {relative(masks, root) or 'no folder'}; nobody looks into {names}")
        found = {}
        for column, drawn, suffix in (("mask", masks, layout.mask_suffix), ("roi", rois, None)):
            if drawn is not None:
                found[column], said = pair(images, drawn, root, suffix)
                repairs += said
        for stem, path in images.items():
            row = {"sample": stem, "image": relative(path, root), "official_subset": subset}
            rows.append(row | {column: files.get(stem, "") for column, files in found.items()})
    return rows


def _table(top: Path, layout: Layout) -> tuple[Path, list[Row]] | None:
    path = top / (layout.table or "samples.csv")
    if path.is_file():
        return path, read_table(path)
    if layout.table:
        known = [p.name for p in top.iterdir() if p.is_file()]
        raise StudyError(f"there is no table '{layout.table}'.{nearest(layout.table, known)}", where=top)
    return None


def _says(rows: Iterable[Row], column: str) -> bool:
    return any(column in row.cells for row in rows)


def _with_table(
    rows: list[dict[str, str]], table: Path, said: list[Row], root: Path, layout: Layout, repairs: list[str]
) -> list[dict[str, str]]:
    """Return a row for each row of the table: what names tell, overruled by what it says."""
    by_image = {row["image"]: row for row in rows}
    by_name: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        for name in {row["sample"], Path(row["image"]).name}:
            by_name.setdefault(name, []).append(row)
    top = top_of(root, layout)
    places = {kind: [top, *(p for _, b in bases(top, layout) if (p := place(b, kind, layout)))] for kind in NAMES}
    where = dict(zip(FILE_COLUMNS, ("images", "masks", "rois", "masks"), strict=True))
    found: dict[str, int] = {}
    result = []
    for line in said:
        files = {
            column: relative(file_of(line.cells[column], line, column, places[where[column]], table, root), root)
            for column in FILE_COLUMNS
            if column in line.cells
        }
        own = by_image.get(files["image"], {}) if "image" in files else _row_of(line, by_name, table)
        row = {"sample": Path(files.get("image", "")).stem, **own, **files}
        row |= {key: line.cells[key] for key in ("sample", "group", "stratum") if key in line.cells}
        row["official_subset"] = line.cells.get("subset", row.get("official_subset", ""))
        if row["image"] in found:
            column = "image" if "image" in files else "sample"
            raise problem(table, line.line, column, f"row {found[row['image']]} names this image too")
        found[row["image"]] = line.line
        result.append(row)
    left = [row["image"] for row in rows if row["image"] not in found]
    if left:
        repairs.append(f"{table.name} does not name {len(left)} of {len(rows)} images, left out: {few(left)}")
    return result


def _row_of(line: Row, by_name: dict[str, list[dict[str, str]]], table: Path) -> dict[str, str]:
    name = line.cells["sample"]
    found = by_name.get(name, [])
    if len(found) == 1:
        return {**found[0], "sample": name}
    if found:
        files = few(row["image"] for row in found)
        raise problem(table, line.line, "sample", f"several images are called '{name}': {files}; add a column image")
    raise problem(table, line.line, "sample", f"no image is called '{name}'.{nearest(name, by_name)}")


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


def named(rows: list[dict[str, str]], repairs: list[str]) -> list[dict[str, str]]:
    """Make the samples' names unique over the subsets and fit for file names."""
    names = [row["sample"] for row in rows]
    if len(set(names)) < len(names) and len({row["official_subset"] for row in rows}) > 1:
        rows = [row | {"sample": f"{row['official_subset'] or 'rest'}_{row['sample']}"} for row in rows]
    changed = []
    for row in rows:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", row["sample"])
        name = name if name[:1].isalnum() else f"x{name}"
        changed += [row["sample"]] if name != row["sample"] else []
        row["sample"] = name
    if changed:
        repairs.append(f"{len(changed)} names changed to letters, digits, '.', '_' and '-': {few(changed)}")
    return rows


def _other_reader(root: Path) -> str:
    """Return the title of the data set whose own reader recognises `root`, or an empty string."""
    from segstudy.data.readers.registry import reader_module

    modules = (reader_module(reader) for reader in READERS if reader != "folder")
    return next((str(module.TITLE) for module in modules if module.recognises(root)), "")


def _nothing_pairs(rows: list[dict[str, str]], root: Path, layout: Layout) -> StudyError:
    masks = [p for _, base in bases(top_of(root, layout), layout) if (p := place(base, "masks", layout))]
    files = [path.name for folder in masks for path in pictures(folder)]
    return StudyError(
        f"no mask is called like an image: images are {few(Path(row['image']).name for row in rows[:3])}, "
        f"masks {few(files[:3]) or 'none'}",
        where=root,
        allowed="a mask has the name of its image, or that name and layout.mask_suffix",
        remedy="set layout.mask_suffix, rename the files, or name the pairs in columns image and mask of samples.csv",
    )
