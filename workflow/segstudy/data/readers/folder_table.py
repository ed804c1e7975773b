"""Read the table `samples.csv` of a folder: masks, groups, strata and subsets that file names do not say."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from segstudy.core.errors import StudyError, nearest
from segstudy.data.images.read import files_of

FILE_COLUMNS = ("image", "mask", "roi", "second_mask")
COLUMNS = ("sample", *FILE_COLUMNS, "group", "stratum", "subset")
SUBSETS = ("train", "val", "test", "unlabelled")


class Row(NamedTuple):
    """A row of the table that says something: its line in the file and its cells, by column; empty ones left out."""

    line: int
    cells: dict[str, str]


def read_table(path: Path) -> list[Row]:
    """Return the rows of a table with a header, columns divided by commas, semicolons or tabs.

    Raises:
        StudyError: naming row and column of what cannot be understood.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    lines = csv.reader(text.splitlines(), delimiter=delimiter)
    header = [name.strip().casefold() for name in next(lines, [])]
    _check_header(header, path)
    rows = []
    for values in lines:
        line = lines.line_num
        cells = {name: value.strip() for name, value in zip(header, values, strict=False) if value.strip()}
        if len(values) > len(header):
            raise problem(path, line, header[-1], f"{len(values)} cells, but the header has {len(header)}")
        if not cells:
            continue
        if not {"sample", "image"} & set(cells):
            raise problem(
                path, line, "sample" if "sample" in header else "image", "this cell says which image is meant"
            )
        subset = cells.get("subset", "train")
        if subset not in SUBSETS:
            raise problem(path, line, "subset", f"'{subset}' is no subset.{nearest(subset, SUBSETS)}", SUBSETS)
        rows.append(Row(line, cells))
    if not rows:
        raise StudyError("the table has no rows", where=path, remedy="fill it, or remove it: names then tell the pairs")
    return rows


def problem(path: Path, line: int, column: str, what: str, allowed: Collection[str] = ()) -> StudyError:
    """Return the error about one cell."""
    return StudyError(what, where=f"{path}, row {line}, column {column}", allowed=", ".join(allowed))


def file_of(cell: str, row: Row, column: str, places: list[Path], table: Path, root: Path) -> Path:
    """Return the file that a cell names, relative to the first of `places` where it is; it begins with `root`.

    A cell of column mask may end in `*`: all files that begin like it are one mask together. An absolute path counts
    where it lies below the root. Links below the root may lead wherever they like.

    Raises:
        StudyError: it is in none of the places, or not below the root.
    """
    below = {place: path for place in places if (path := _below(place, cell, root)) is not None}
    for path in below.values():
        if path.is_file():
            return path
        if column == "mask" and cell.endswith("*") and files_of(path):
            return path
    if len(below) < len(places):  # as seen from one of them, it leads out
        raise StudyError(
            f"'{cell}' is no path below the root of the data set: changes of it would never be noticed",
            where=f"{table}, row {row.line}, column {column}",
            allowed=f"files below {root}",
            remedy="move the file there, or put a symbolic link to its folder there and name the file through the link",
        )
    beside = [(place, other) for place, path in below.items() for other in path.parent.glob("*") if other.is_file()]
    known = sorted({other.relative_to(place).as_posix() for place, other in beside if other.is_relative_to(place)})
    raise problem(table, row.line, column, f"there is no file '{cell}'.{nearest(cell, known)}")


def _below(place: Path, cell: str, root: Path) -> Path | None:
    """Return the path of a cell without `..`, beginning with `root`; None where it leads out of the root."""
    if any(ord(sign) < 32 for sign in cell):
        return None
    path = Path(os.path.normpath(os.path.abspath(place / cell)))
    for top in (os.path.abspath(root), os.path.realpath(root)):
        if path.is_relative_to(top):
            return root / path.relative_to(top)
    return None


def _check_header(header: list[str], path: Path) -> None:
    for name in header:
        if name not in COLUMNS:
            raise StudyError(
                f"the table has a column '{name}' that means nothing here.{nearest(name, COLUMNS)}",
                where=f"{path}, row 1",
                allowed=", ".join(COLUMNS),
                remedy="rename the column, or remove it",
            )
        if header.count(name) > 1:
            raise StudyError(f"the table has the column '{name}' twice", where=f"{path}, row 1")
    if not {"sample", "image"} & set(header):
        raise StudyError(
            "the table has neither a column 'sample' nor a column 'image'",
            where=f"{path}, row 1",
            allowed=", ".join(COLUMNS),
            remedy="add one of them: it says which image a row speaks of",
        )
