"""All rows, of all modules rows_*.py beside this one."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

from tests.bad_inputs.row import Row

LEAST = 200  # rows at least: none may get lost


def rows() -> list[Row]:
    """Return the rows of all modules."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("rows_*.py"))
    return [row for name in names for row in importlib.import_module(f"tests.bad_inputs.{name}").ROWS]


def rows_on(base: str) -> list[Row]:
    """Return those that start from a base."""
    return [row for row in rows() if row.base == base]


def twice() -> list[str]:
    """Return names that several rows have."""
    return [name for name, count in Counter(row.name for row in rows()).items() if count > 1]
