"""All rows, of all modules rows_*.py beside this one."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

from tests.bad_inputs.row import Row

LEAST = 200  # rows at least: none may get lost


DAMAGE = "rows_damage"  # as many as the others that start from a finished study: a file of tests of their own


def rows(*modules: str) -> list[Row]:
    """Return the rows of these modules; of all, where none is named."""
    names = modules or sorted(path.stem for path in Path(__file__).parent.glob("rows_*.py"))
    return [row for name in names for row in importlib.import_module(f"tests.bad_inputs.{name}").ROWS]


def rows_on(base: str, damaged: bool = False) -> list[Row]:
    """Return the rows that start from a base: those of damaged results, or all others."""
    names = {row.name for row in rows(DAMAGE)}
    return [row for row in rows() if row.base == base and (row.name in names) == damaged]


def twice() -> list[str]:
    """Return names that several rows have."""
    return [name for name, count in Counter(row.name for row in rows()).items() if count > 1]
