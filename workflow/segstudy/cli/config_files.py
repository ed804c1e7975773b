"""Which study a command is about: the config files given to it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segstudy.core.errors import StudyError

if TYPE_CHECKING:
    from rich.console import Console

    from segstudy.config.study import Study

BASE = Path("config.yaml")
WIDTH = 110  # where there is no terminal
NARROWEST = 40

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


def opened(
    files: list[Path] | None, command_line: Mapping[str, Any] | None = None, anywhere: bool = False
) -> tuple[Study, Path]:
    """Return the study of these config files, and the folder of its results.

    `command_line` is what `--config` says beside them. Only what asks nothing of the results works `anywhere`.

    Raises:
        StudyError: as `chosen`, `read_config` and `load_study`; or this folder is not that of the workflow.
    """
    from segstudy.config import paths
    from segstudy.config.load import load_study, merged, read_config

    found = chosen(files)
    study = load_study(merged(read_config(*found), command_line or {}), found, command_line)
    overlays = [str(file) for file in found if file != BASE]
    os.environ["SEGSTUDY_CONFIG"] = shlex.join(["--configfile", *overlays] if overlays else [])  # for messages
    results = paths.results(study.study)
    if not anywhere and not results.is_dir():
        snakefile()
    return study, results


def snakefile() -> Path:
    """Return the Snakefile of this folder.

    Raises:
        StudyError: there is none.
    """
    for place in (Path("Snakefile"), Path("workflow/Snakefile")):
        if place.exists():
            return place
    raise StudyError("no Snakefile here", where=Path.cwd(), remedy="go to the folder of the workflow")


def paper(stderr: bool = False) -> Console:
    """Return what to print on: the terminal, or WIDTH columns where there is none; never less than NARROWEST."""
    from segstudy.cli.console import PlainConsole

    known = (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ
    console = PlainConsole(stderr=stderr, width=None if known else WIDTH)
    console.width = max(console.width, NARROWEST)  # COLUMNS=0 would print nothing at all
    return console
