"""Use the table `samples.csv` of a folder: masks, groups, strata and subsets that file names do not say."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from segstudy.config.layout import USUAL_TABLE, Layout
from segstudy.core.errors import StudyError, nearest
from segstudy.core.names import file_columns, readable
from segstudy.data.images.read import files_of
from segstudy.data.readers.discovery import few, pictures, relative
from segstudy.data.readers.table_file import Row, problem

TABLES = (".csv", ".tsv", ".xlsx", ".xls", ".ods")


def find_table(root: Path, top: Path, layout: Layout) -> Path | None:
    """Return the table of a data set, in its root or in the folder `top` of its images; None where there is none.

    How it may be called: `Layout.tables_in`.

    Raises:
        StudyError: there are several, or the one that the config names is missing.
    """
    name = layout.table or USUAL_TABLE
    tables = [table for folder in dict.fromkeys((root, top)) for table in layout.tables_in(folder)]
    tables = [table for table in tables if table.name == name] or tables
    if len(tables) > 1:
        raise StudyError(
            f"there are {len(tables)} tables of samples: {few(relative(table, root) for table in tables)}",
            where=", ".join(map(str, tables)),
            remedy="put what they say into one, and remove the others",
        )
    if layout.table and not tables:
        known = [p.name for p in top.iterdir() if p.is_file()]
        raise StudyError(f"there is no table '{name}'.{nearest(name, known)}", where=top)
    return tables[0] if tables else None


def tables_not_read(root: Path, top: Path, subsets: Iterable[Path], table: Path | None) -> list[str]:
    """Return a sentence on the tables beside the folders of images and masks that nobody reads."""
    places = [folder for folder in dict.fromkeys((root, top, *subsets)) if not pictures(folder)]  # else they are said
    tables = [path for folder in places for path in sorted(folder.iterdir()) if path.suffix.casefold() in TABLES]
    others = [relative(path, root) for path in tables if path != table and path.is_file() and path.name[0] != "."]
    if not others:
        return []
    return [f"tables that are not read: {few(others)}; for patients or subsets, name one by layout.table (CSV)"]


def says(rows: Iterable[Row], column: str) -> bool:
    """Return whether any row says something in a column."""
    return any(column in row.cells for row in rows)


def with_table(
    rows: list[dict[str, str]],
    table: Path,
    lines: list[Row],
    places: Mapping[str, list[Path]],
    root: Path,
    repairs: list[str],
) -> list[dict[str, str]]:
    """Return a row for each row of the table: what names tell, overruled by what it says.

    Args:
        rows: what names tell.
        table: path of the table.
        lines: its rows.
        places: folders in which files of each kind are looked for.
        root: of the data set.
        repairs: sentences are added for images that the table does not name.
    """
    by_image = {row["image"]: row for row in rows}
    names = names_of(rows)
    where = {"image": "images", "mask": "masks", "roi": "rois"}  # else masks of further annotators
    line_of_image: dict[str, int] = {}
    result = []
    for line in lines:
        files = {
            column: relative(file_of(cell, line, column, places[where.get(column, "further_masks")], table, root), root)
            for column in file_columns(line.cells)
            if (cell := line.cells.get(column))
        }
        from_names = by_image.get(files["image"], {}) if "image" in files else row_of(line, names, table)
        row = {"sample": Path(files.get("image", "")).stem, **from_names, **files}
        row |= {key: line.cells[key] for key in ("group", "stratum") if key in line.cells}
        row |= {"sample": line.cells["sample"]} if {"sample", "image"} <= set(line.cells) else {}
        row["official_subset"] = line.cells.get("subset", row.get("official_subset", ""))
        if row["image"] in line_of_image:
            column = "image" if "image" in files else "sample"
            raise problem(table, line.line, column, f"row {line_of_image[row['image']]} names this image too")
        line_of_image[row["image"]] = line.line
        result.append(row)
    shared = {mask: count for mask, count in Counter(row.get("mask") for row in result).items() if mask and count > 1}
    if shared:
        said = few(f"{mask} ({count} images)" for mask, count in shared.items())
        repairs.append(f"{table.name} names one mask for several images: {said}")
    left = [row["image"] for row in rows if row["image"] not in line_of_image]
    if left:
        repairs.append(f"{table.name} does not name {len(left)} of {len(rows)} images, left out: {few(left)}")
    return result


class Names(NamedTuple):
    """Rows by each name that a table may call them by."""

    by_name: dict[str, list[dict[str, str]]]
    by_number: dict[int, list[dict[str, str]]]  # those whose name is a number, 1 for 001


def names_of(rows: Iterable[dict[str, str]]) -> Names:
    """Return the rows by the name of their sample, of its file, and by its last part."""
    found = Names({}, {})
    for row in rows:
        sample, file = readable(row["sample"]), readable(Path(row["image"]).name)
        names = {sample, sample.rpartition("/")[2], file, Path(file).stem}
        for name in names:
            found.by_name.setdefault(name, []).append(row)
        for number in {int(name) for name in names if name.isdecimal()}:
            found.by_number.setdefault(number, []).append(row)
    return found


def row_of(line: Row, names: Names, table: Path) -> dict[str, str]:
    """Return the row that the cell `sample` names; a number without its zeros (1 for 001) will do where one fits.

    Raises:
        StudyError: none or several are called so.
    """
    name = readable(line.cells["sample"])
    matches = names.by_name.get(name, [])
    if not matches and (number := re.fullmatch(r"(\d+)(\.0+)?", name)):  # what a spreadsheet or pandas makes of 001
        matches = names.by_number.get(int(number[1]), [])
        name = matches[0]["sample"] if len(matches) == 1 else name
    if len(matches) == 1:
        return matches[0] if "/" in matches[0]["sample"] else {**matches[0], "sample": name}
    if matches:
        files = few(row["image"] for row in matches)
        raise problem(table, line.line, "sample", f"several images are called '{name}': {files}; add a column image")
    raise problem(table, line.line, "sample", f"no image is called '{name}'.{nearest(name, names.by_name)}")


def file_of(cell: str, row: Row, column: str, places: list[Path], table: Path, root: Path) -> Path:
    """Return the file that a cell names, relative to the first of `places` where it is; it begins with `root`.

    A cell of column mask may end in `*`: all files that begin like it are one mask together. An absolute path counts
    where it lies below the root. Links below the root may lead wherever they like.

    Raises:
        StudyError: it is in none of the places, or not below the root.
    """
    spellings = dict.fromkeys((cell, cell.replace("\\", "/")))  # a path of Windows
    below: list[tuple[Path, Path | None]] = []
    for place, text in ((place, text) for text in spellings for place in places):
        below.append((place, path := _below(place, text, root)))
        stored = _as_stored(path, root) if path is not None else None
        if stored and (stored.is_file() or (column == "mask" and cell.endswith("*") and files_of(stored))):
            return stored
    known_places = [(place, path) for place, path in below if path is not None]
    if len(known_places) < len(below):  # as seen from one of them, it leads out
        raise StudyError(
            f"'{cell}' is no path below the root of the data set: changes of it would never be noticed",
            where=f"{table}, row {row.line}, column {column}",
            allowed=f"files below {root}",
            remedy="move the file there, or put a symbolic link to its folder there and name the file through the link",
        )
    beside = [(place, p) for place, path in known_places for p in path.parent.glob("*") if p.is_file()]
    known = sorted({other.relative_to(place).as_posix() for place, other in beside if other.is_relative_to(place)})
    raise problem(table, row.line, column, f"there is no file '{cell}'.{_tail(cell, root) or nearest(cell, known)}")


def _tail(cell: str, root: Path) -> str:
    """Return a sentence on the file below the root that ends like a path of another machine; empty where none does."""
    parts = PureWindowsPath(cell).parts
    tails = ("/".join(parts[start:]) for start in range(1, len(parts)))
    found = next((tail for tail in tails if ".." not in tail and (root / tail).is_file()), "")
    return f" Paths are those below the root: '{found}' is there" if found else ""


def _as_stored(path: Path, root: Path) -> Path:
    """Return the path below `root` that reads like `path`: accents may be stored as one character or as two."""
    if path.exists() or str(path).isascii():
        return path
    stored = root
    for part in path.relative_to(root).parts:
        beside = stored.iterdir() if stored.is_dir() and not (stored / part).exists() else ()
        stored = next((p for p in beside if readable(p.name) == readable(part)), stored / part)
    return stored


def _below(place: Path, cell: str, root: Path) -> Path | None:
    """Return the path of a cell without `..`, beginning with `root`; None where it leads out of the root."""
    if any(ord(sign) < 32 for sign in cell):
        return None
    path = Path(os.path.normpath(os.path.abspath(place / cell)))
    for top in (os.path.abspath(root), os.path.realpath(root)):
        if path.is_relative_to(top):
            return root / path.relative_to(top)
    real = Path(os.path.realpath(path))  # an absolute path by way of a link above the root
    return root / real.relative_to(os.path.realpath(root)) if real.is_relative_to(os.path.realpath(root)) else None
