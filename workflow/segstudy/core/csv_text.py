"""Protection against CSV injection: text that a spreadsheet would run as a formula gets an apostrophe.

Numbers are never changed, nor is a table without such text. Text that begins with apostrophes and then like a formula
gets one more, so that reading gives back exactly what was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pandas as pd

# What begins a formula in a spreadsheet; the wide forms do in some languages.
STARTS = "=+\\-@\t\r\n＝＋－＠"
FORMULA = re.compile(f"'*[{STARTS}]")
GUARDED = re.compile(f"'+[{STARTS}]")


def guarded(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with an apostrophe before each text cell that begins like a formula."""
    return _changed(table, FORMULA, lambda text: f"'{text}")


def unguarded(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that was written `guarded` as it was before."""
    return _changed(table, GUARDED, lambda text: text[1:])


def has_carriage_return(table: pd.DataFrame) -> bool:
    """Return whether a text cell holds a carriage return, which stays part of its cell only between quotes."""
    return any("\r" in value for _, values in _texts(table) for value in values)


def _changed(table: pd.DataFrame, pattern: re.Pattern[str], change: Callable[[str], str]) -> pd.DataFrame:
    changed = table
    for name, values in _texts(table):
        changes = {value: change(value) for value in values if pattern.match(value)}
        if changes:
            changed = table.copy() if changed is table else changed
            changed[name] = [changes.get(value, value) for value in table[name]]
    return changed


def _texts(table: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """Yield the columns that may hold text, each with the texts in it."""
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name].dtype):
            yield name, [value for value in table[name].unique() if isinstance(value, str)]
