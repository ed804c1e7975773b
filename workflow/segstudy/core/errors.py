"""The one error that is meant for the person at the keyboard."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from segstudy.core.terminal_text import visible


class StudyError(Exception):
    """An error that the user can mend. It says what is wrong, where, what is allowed and what to do.

    Scripts and commands show it as one message and exit with code 1; any other exception is a defect of
    segstudy itself and keeps its traceback (in the log).
    """

    def __init__(self, what: str, *, where: object = "", allowed: str = "", remedy: str = "") -> None:
        self.what, self.where, self.allowed, self.remedy = what, str(where), allowed, remedy
        super().__init__(what)

    def __str__(self) -> str:
        parts = [self.what]
        parts += [f"  where:   {self.where}"] if self.where else []
        parts += [f"  allowed: {self.allowed}"] if self.allowed else []
        parts += [f"  to do:   {self.remedy}"] if self.remedy else []
        return visible("\n".join(parts))


def in_one_line(error: StudyError) -> str:
    """Return what is wrong and the first line of what to do, for a table of many problems."""
    return "; ".join(filter(None, [error.what, error.remedy.partition("\n")[0]]))


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def nearest(name: str, options: Iterable[str]) -> str:
    """Return ' Did you mean X?' for the option closest to `name`, or an empty string."""
    closest = difflib.get_close_matches(name, list(options), n=1, cutoff=0.5)
    return f" Did you mean '{closest[0]}'?" if closest else ""
