"""Unusual environments: a home folder that cannot be written, an ASCII terminal, closed streams."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from segstudy.core.errors import StudyError

OWN = Path(".snakemake")  # where caches go that have no place in the home folder
# Variables that tell libraries where to keep files, with the folders that they take otherwise.
CACHES = {
    "XDG_CACHE_HOME": ("XDG_CACHE_HOME", ".cache", ""),  # Snakemake keeps copies of scripts there
    "MPLCONFIGDIR": ("XDG_CONFIG_HOME", ".config", "matplotlib"),
}


def caches(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to set so that libraries keep their files where they can be written."""
    changes = {}
    for variable, (base, below_home, name) in CACHES.items():
        if environment.get(variable):
            usual = Path(environment[variable])
        else:
            above = environment.get(base) or str(Path(environment.get("HOME") or "/nonexistent") / below_home)
            usual = Path(above) / name
        if not writable(usual):
            changes[variable] = str((OWN / variable.lower()).absolute())
    return changes


def check_place(*folders: str) -> None:
    """Check the paths of the project and of the folder in which it runs.

    Raises:
        StudyError: Snakemake would take a part of one for a wildcard, in the paths of scripts and in messages.
    """
    for folder in folders:
        if "{" in folder or "}" in folder:
            raise StudyError(
                "the path of this folder holds braces, which Snakemake takes for a wildcard",
                where=folder,
                remedy="rename it, or move the project to another one",
            )


def writable(folder: Path) -> bool:
    """Return whether a file can be written in a folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written")
            file.flush()
    except OSError:
        return False
    return True


def check_writable(*folders: Path) -> None:
    """Stop where a run could not write.

    Raises:
        StudyError: naming the first folder that cannot be written.
    """
    for folder in folders:
        if not writable(folder):
            raise StudyError(
                "this folder cannot be written",
                where=folder.absolute(),
                remedy="check owner, mode and free space; a read-only workflow is run from a copy of it elsewhere",
            )


def prepare_streams() -> None:
    """Let everything be printed: what a terminal cannot show is escaped, and a closed stream swallows it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed: a file opened later would get its number, and the output with it
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (open until the end)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def flush_quietly() -> bool:
    """Flush what was printed; return False where its reader has gone, as in `segstudy status | head -1`."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return False
    return True


def _silence() -> None:
    """Send what is still printed nowhere: the interpreter flushes once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
