"""Read the table of PH2's diagnoses, in all formats in which it circulates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from segstudy.core.arrays import check_archive
from segstudy.core.errors import StudyError
from segstudy.data.readers.discovery import plain

STRATA = ("common_nevus", "atypical_nevus", "melanoma")
LARGEST = 50_000_000  # bytes of an unpacked spreadsheet; the official one has 200 lines
CELLS = 1_000_000
_CODES = {str(code): name for code, name in enumerate(STRATA)} | {plain(name): name for name in STRATA}
_CASE = re.compile(r"IMD\d+", re.IGNORECASE)


def diagnoses(path: Path) -> dict[str, str]:
    """Return {IMDnnn: common_nevus, atypical_nevus or melanoma}.

    Read are the official text table (columns between '||', a legend below), its tab- or comma-separated copies,
    and spreadsheets; the diagnosis is a code 0, 1, 2 or its name under 'Clinical Diagnosis', or a cross under
    'Common Nevus', 'Atypical Nevus' or 'Melanoma'.

    Raises:
        StudyError: naming file and row: no header, no case, or a diagnosis that is none of the three.
    """
    rows = _sheet(path) if path.suffix.casefold() == ".xlsx" else _text(path)
    columns: dict[str, int] | None = None
    known: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        names = {plain(cell): position for position, cell in reversed(list(enumerate(row)))}
        if columns is None and {"name", "imagename", "imageid"} & set(names):
            columns = _diagnosis_columns(names, path, number)
            continue
        case = next((cell.strip().upper() for cell in row[:2] if _CASE.fullmatch(cell.strip())), None)
        if case is None:
            continue  # titles above the header, the legend below
        if columns is None:
            raise StudyError(f"case {case} stands before any header", where=f"{path}, row {number}", allowed=_ALLOWED)
        known[case] = _diagnosis(row, columns, f"{path}, row {number} ({case})")
    if not known:
        raise StudyError("the table of diagnoses names no case IMDnnn", where=path, allowed=_ALLOWED)
    return known


_ALLOWED = "a header row with 'Name' and 'Clinical Diagnosis' (0, 1, 2), or the three diagnoses as columns"


def _diagnosis_columns(names: dict[str, int], path: Path, number: int) -> dict[str, int]:
    """Return {stratum: column} where crosses are made, or {"": column} where a code is given."""
    crossed = {name: names[plain(name)] for name in STRATA if plain(name) in names}
    if len(crossed) == len(STRATA):
        return crossed
    coded = next((names[name] for name in ("clinicaldiagnosis", "diagnosis") if name in names), None)
    if coded is None:
        raise StudyError("the header names no diagnosis", where=f"{path}, row {number}", allowed=_ALLOWED)
    return {"": coded}


def _diagnosis(row: Sequence[str], columns: dict[str, int], where: str) -> str:
    cells = {name: row[position].strip() if position < len(row) else "" for name, position in columns.items()}
    if "" in cells:
        stratum = _CODES.get(plain(cells[""]))
        if stratum is None:
            raise StudyError(f"'{cells['']}' is no diagnosis", where=where, allowed=f"0, 1, 2 or {', '.join(STRATA)}")
        return stratum
    marked = [name for name, cell in cells.items() if cell]
    if len(marked) != 1:
        raise StudyError(f"{len(marked)} diagnoses are marked", where=where, allowed="exactly one")
    return marked[0]


def _text(path: Path) -> list[list[str]]:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    lines = text.splitlines()
    separator = next((s for s in ("||", "\t", ";") if any(s in line and "IMD" in line.upper() for line in lines)), ",")
    return [line.split(separator) for line in lines]


def _sheet(path: Path) -> list[list[str]]:
    import openpyxl

    try:
        check_archive(path, LARGEST)
        sheet = openpyxl.load_workbook(path, data_only=True).worksheets[0]
        if sheet.max_row * sheet.max_column > CELLS:
            raise ValueError(f"it has {sheet.max_row} rows and {sheet.max_column} columns")
    except StudyError:
        raise
    except Exception as error:  # openpyxl lets every error of zip and xml through
        raise StudyError(f"the spreadsheet cannot be read: {error}", where=path) from None
    return [["" if cell is None else str(cell) for cell in row] for row in sheet.values]
