"""Checks of names and paths that are read from files: they must not lead out of their folder."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from segstudy.core.errors import StudyError

if TYPE_CHECKING:  # the config imports this module: pandas would take longer than all of it
    import pandas as pd

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # of samples and of everything a config names
# Of a sample's name. A file is called `.<name>.<process>.partial.png` while it is written, and file systems take 255
# bytes.
LONGEST = 220
ALLOWED = f"letters, digits, '.', '_' and '-', beginning with a letter or digit, {LONGEST} characters at most"

# Columns of an index that name files. Masks of further annotators: `mask_3`, `mask_4`, ...; and `mask_1`, the first
# annotator's own, where `mask` is what several have in common.
FILE_COLUMNS = ("image", "mask", "roi", "second_mask")
_FURTHER_MASK = re.compile(r"mask_(1|[3-9]|[1-9]\d+)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNDECODED = re.compile("[\udc80-\udcff]+")  # bytes of a file name that are no UTF-8, as Python spells them
_SPELLED = re.compile(r"\\x([89a-f][0-9a-f])")


def is_sample_name(value: str) -> bool:
    """Return whether files of a sample can be called `value` and a suffix, and lie in the folder they are meant for."""
    return bool(NAME.fullmatch(value)) and len(value) <= LONGEST


def readable(name: str) -> str:
    """Return a file name or path as text: bytes that are no UTF-8 as letters of Windows-1252, accents composed (NFC).

    A Mac stores `é` as two characters, everything else as one: only composed names can be compared.
    """
    name = _UNDECODED.sub(lambda found: _western(os.fsencode(found[0])), on_disk(name))
    return unicodedata.normalize("NFC", name)


def title_of(row: Mapping[Any, Any]) -> str:
    """Return what a sample is called for people: its original name, where files could not have it."""
    return str(row.get("title") or row["sample"])


def drawn_title(row: Mapping[Any, Any]) -> str:
    """Return `title_of` where the fonts of figures have its letters (Latin ones), otherwise the sample's name."""
    title = title_of(row)
    return title if all(ord(letter) < 0x100 for letter in title) else str(row["sample"])


def spelled(path: str) -> str:
    r"""Return a path as text of a table: each byte that is no UTF-8 as `\xf6`; `on_disk` is the reverse."""
    return _UNDECODED.sub(lambda found: "".join(f"\\x{byte:02x}" for byte in os.fsencode(found[0])), path)


def on_disk(path: str) -> str:
    """Return the path of a file that a table names as the operating system knows it (see `spelled`)."""
    return _SPELLED.sub(lambda found: os.fsdecode(bytes([int(found[1], 16)])), path)


def _western(text: bytes) -> str:
    try:
        return text.decode("cp1252")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def file_columns(columns: Iterable[Any]) -> list[str]:
    """Return those of an index's columns that name files; masks of further annotators are the last, by number."""
    further = {column: int(match[1]) for column in columns if (match := _FURTHER_MASK.fullmatch(column))}
    return [*FILE_COLUMNS, *sorted(further, key=further.__getitem__)]


def annotator_columns(columns: Iterable[Any]) -> dict[int, str]:
    """Return the columns of an index that hold the annotators' own masks, by the annotator's number from 1."""
    further = file_columns(columns)[len(FILE_COLUMNS) :]
    own = {int(column.removeprefix("mask_")): column for column in further}
    return dict(sorted(({1: "mask", 2: "second_mask"} | own).items()))


def leads_outside(path: str) -> bool:
    """Return whether the text of a path is absolute, has a part `..`, or holds control characters.

    Links are not looked at: a link below the root that leads elsewhere was put there by the owner of the data.
    """
    return path.startswith("/") or ".." in PurePosixPath(path).parts or bool(_CONTROL.search(path))


def check_table(table: pd.DataFrame, path: str | Path) -> None:
    """Check the columns of a table that name files: `sample`, and those of `file_columns`, where it has them.

    Args:
        table: as read from `path`, these columns as text.

    Raises:
        StudyError: naming row, column and value of the first that is no plain name, or leads out of the root.
    """
    for column in table.columns.intersection(["sample"]):
        _check(table[column], path, is_sample_name, "is no sample name: files are called by it", ALLOWED)
    for column in table.columns.intersection(file_columns(table.columns)):
        _check(
            table[column],
            path,
            lambda value: not leads_outside(value),
            "does not lie below the root of the data set",
            "paths relative to the root, without '..'",
        )


def check_sample_names(names: Iterable[str], where: str | Path) -> None:
    """Check the names of samples that come from raw files.

    Raises:
        StudyError: naming the first that files cannot be called by.
    """
    for name in names:
        if not is_sample_name(name):
            raise StudyError(
                f"{_short(name)} cannot be a sample name: files are called by it",
                where=where,
                allowed=ALLOWED,
                remedy="rename the file; of a folder of one's own, a column 'sample' of samples.csv does it too",
            )


def _check(values: pd.Series, path: str | Path, good: Callable[[str], bool], what: str, allowed: str) -> None:
    wrong = {value for value in values.unique() if not good(str(value))}
    if not wrong:
        return
    place = int(values.isin(wrong).to_numpy().argmax())
    raise StudyError(
        f"{_short(str(values.iloc[place]))} {what}",
        where=f"{path}, row {place + 2}, column {values.name}",
        allowed=allowed,
        remedy="mend the file where it came from, or remove it, so that the study makes its own",
    )


def _short(name: str) -> str:
    return repr(name) if len(name) <= 60 else f"{name[:60]!r}... ({len(name)} characters)"
