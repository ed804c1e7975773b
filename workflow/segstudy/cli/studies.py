"""Which study a command is about: the config files given to it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segstudy.errors import StudyError

if TYPE_CHECKING:
    from rich.console import Console

    from segstudy.config import Study

BASE = Path("config.yaml")
WIDTH = 110  # where there is no terminal

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="STUDY.yaml",
        help="Config files as for snakemake --configfile, later ones winning; config.yaml is always the first.",
        show_default=False,
    ),
]


def chosen(files: list[Path] | None) -> list[Path]:
    """Return the config files of a study: `config.yaml` of the working directory comes first, named or not.

    Raises:
        StudyError: there is none.
    """
    named = list(files or [])
    found = named if BASE in named or not BASE.exists() else [BASE, *named]
    if not found:
        raise StudyError(
            "no config.yaml here", where=Path.cwd(), remedy="go to the folder of the workflow, or name a config file"
        )
    return found


def opened(files: list[Path] | None) -> tuple[Study, Path]:
    """Return the study of these config files, and the folder of its results.

    Raises:
        StudyError: as `chosen`, `read_config` and `load_study`.
    """
    from segstudy.config import load_study
    from segstudy.config.study import read_config

    found = chosen(files)
    study = load_study(read_config(*found), found)
    overlays = [str(file) for file in found if file != BASE]
    os.environ["SEGSTUDY_CONFIG"] = shlex.join(["--configfile", *overlays] if overlays else [])  # for messages
    return study, Path("results") / study.study


def paper(stderr: bool = False) -> Console:
    """Return what to print on: the terminal, or WIDTH columns where there is none."""
    from segstudy.cli.console import PlainConsole

    known = (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ
    return PlainConsole(stderr=stderr, width=None if known else WIDTH)
