"""Checks of names and paths that are read from files: they must not lead out of their folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from segstudy.core.errors import StudyError

if TYPE_CHECKING:  # the config imports this module: pandas would take longer than all of it
    import pandas as pd

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # of samples and of everything a config names
# Of a sample's name. A file is called `.<name>.<process>.partial.png` while it is written, and file systems take 255
# bytes.
LONGEST = 220
ALLOWED = f"letters, digits, '.', '_' and '-', beginning with a letter or digit, {LONGEST} characters at most"

FILE_COLUMNS = ("image", "mask", "roi", "second_mask")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_sample_name(value: str) -> bool:
    """Return whether files of a sample can be called `value` and a suffix, and lie in the folder they are meant for."""
    return bool(NAME.fullmatch(value)) and len(value) <= LONGEST


def leads_outside(path: str) -> bool:
    """Return whether the text of a path is absolute, has a part `..`, or holds control characters.

    Links are not looked at: a link below the root that leads elsewhere was put there by the owner of the data.
    """
    return path.startswith("/") or ".." in PurePosixPath(path).parts or bool(_CONTROL.search(path))


def check_table(table: pd.DataFrame, path: str | Path) -> None:
    """Check the columns of a table that name files: `sample`, and those of `FILE_COLUMNS`, where it has them.

    Args:
        table: as read from `path`, these columns as text.
        path: of the file, for the message.

    Raises:
        StudyError: naming row, column and value of the first that is no plain name, or leads out of the root.
    """
    for column in table.columns.intersection(["sample"]):
        _check(table[column], path, is_sample_name, "is no sample name: files are called by it", ALLOWED)
    for column in table.columns.intersection([*FILE_COLUMNS]):
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
