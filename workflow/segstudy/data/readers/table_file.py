"""Read a table of samples: encodings, columns without a name, rows that say something."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from segstudy.core.errors import StudyError, nearest
from segstudy.core.names import FILE_COLUMNS, file_columns
from segstudy.data.readers.discovery import few

COLUMNS = ("sample", *FILE_COLUMNS, "group", "stratum", "subset")
SUBSETS = ("train", "val", "test", "unlabelled")
_ABOVE_HEAD = re.compile(r"(?:[ \t]*#.*\r?\n|sep=.?[ \t]*\r?\n|[ \t,;\"]*\r?\n)*", re.IGNORECASE)


class Row(NamedTuple):
    """A row of the table that says something: its line in the file and its cells, by column; empty ones left out."""

    line: int
    cells: dict[str, str]


def read_table(path: Path, repairs: list[str]) -> list[Row]:
    """Return the rows of a table with a header, columns divided by commas, semicolons or tabs.

    Above the header may stand empty lines, comments behind `#`, and `sep=;` as Excel takes it.
    Columns without a name are passed over where they are empty, or number the rows as pandas does.

    Raises:
        StudyError: naming row and column of what cannot be understood.
    """
    text = table_text(path, repairs)
    lead = _ABOVE_HEAD.match(text)
    above = lead[0] if lead else ""
    text, first = text[len(above) :], above.count("\n") + 1
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [_column(name) for name in next(lines, [])]
    body = [(lines.line_num + first - 1, [value.strip() for value in values]) for values in lines]
    _check_unnamed(header, [values for _, values in body], path, first)
    _check_header([name for name in header if name], path, first)
    rows = []
    for line, values in body:
        cells = {name: value for name, value in zip(header, values, strict=False) if name and value}
        if any(values[len(header) :]):
            raise problem(path, line, header[-1], f"{len(values)} cells, but the header has {len(header)}")
        if not cells:
            continue
        if not {"sample", "image"} & set(cells):
            raise problem(
                path, line, "sample" if "sample" in header else "image", "this cell says which image is meant"
            )
        if "subset" in cells:
            cells["subset"] = subset = cells["subset"].casefold()
            if subset not in SUBSETS:
                raise problem(path, line, "subset", f"'{subset}' is no subset.{nearest(subset, SUBSETS)}", SUBSETS)
        rows.append(Row(line, cells))
    if not rows:
        raise StudyError("the table has no rows", where=path, remedy="fill it, or remove it: names then tell the pairs")
    return rows


def table_text(path: Path, repairs: list[str]) -> str:
    """Return the text of a table in UTF-8 or UTF-16, or, where it is neither, in Windows-1252; that is said.

    Raises:
        StudyError: it is in none of them.
    """
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings: tuple[str, ...] = ("utf-16",)
    elif b"\0" in content[:2]:  # the first letter of an ASCII header in two bytes
        encodings = ("utf-16-be",) if content[:1] == b"\0" else ("utf-16-le",)
    else:
        encodings = ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "cp1252":
            words = dict.fromkeys(word for word in re.findall(r"\w+", text) if not word.isascii())
            repairs.append(f"{path.name} is no UTF-8; read as Windows-1252, it says {few(words)}")
        return text
    raise StudyError(
        "the encoding of this table is not known",
        where=path,
        allowed="UTF-8, UTF-16, Windows-1252",
        remedy="save it as CSV in UTF-8",
    )


def _column(name: str) -> str:
    name = name.strip().casefold()
    if re.fullmatch(r"unnamed: \d+", name):  # what pandas and Excel call an index column
        return ""
    return "second_mask" if name == "mask_2" else name


def _check_unnamed(header: list[str], body: list[list[str]], path: Path, line: int) -> None:
    """Raise where a column without a name holds more than the numbers of the rows."""
    for place, name in enumerate(header):
        values = [values[place] for values in body if place < len(values)]
        if not name and not all(value.isdecimal() or not value for value in values):
            value = next(value for value in values if value and not value.isdecimal())
            raise StudyError(
                f"column {place + 1} of the table has no name and holds '{value}'",
                where=f"{path}, row {line}",
                allowed=", ".join(COLUMNS),
                remedy="name the column, or remove it",
            )


def problem(path: Path, line: int, column: str, what: str, allowed: Collection[str] = ()) -> StudyError:
    """Return the error about one cell."""
    return StudyError(what, where=f"{path}, row {line}, column {column}", allowed=", ".join(allowed))


def _check_header(header: list[str], path: Path, line: int) -> None:
    for name in header:
        if name not in (*COLUMNS, *file_columns(header)) or name == "mask_1":
            raise StudyError(
                f"the table has a column '{name}' that means nothing here.{nearest(name, COLUMNS)}",
                where=f"{path}, row {line}",
                allowed=", ".join(COLUMNS),
                remedy="rename the column, or remove it",
            )
        if header.count(name) > 1:
            raise StudyError(f"the table has the column '{name}' twice", where=f"{path}, row {line}")
    if not {"sample", "image"} & set(header):
        raise StudyError(
            "the table has neither a column 'sample' nor a column 'image'",
            where=f"{path}, row {line}",
            allowed=", ".join(COLUMNS),
            remedy="add one of them: it says which image a row speaks of",
        )
