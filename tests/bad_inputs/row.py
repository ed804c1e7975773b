"""What a row of the table of bad inputs says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """One bad input: how it comes about, the command that meets it, and what must be said of it."""

    name: str  # unique, kebab-case
    base: str  # "config" or "finished", see bases.py
    setup: Callable[[Path], None]  # changes the folder, a private copy of the base
    command: str  # as typed in that folder
    code: int  # exit code
    words: tuple[str, ...]  # each stands in what the command prints, whitespace folded
    kept: tuple[str, ...] = ()  # paths that exist afterwards, unchanged
    absent: tuple[str, ...] = ()  # paths that do not exist afterwards, whether they did before or not
    rewritten: tuple[str, ...] = ()  # finished results that the command may make anew, with all that is below them
    unprivileged: bool = False  # run with the rights that owners and modes give, also where the tests run as root
