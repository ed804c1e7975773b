"""Arguments that many commands share: the config files of a study, and names in it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segstudy.core.errors import StudyError, nearest

if TYPE_CHECKING:
    from segstudy.config.study import Study

BASE = Path("config.yaml")

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="STUDY.yaml",
        help="Config files, as for snakemake --configfile: later files win, and config.yaml always comes first.",
        show_default=False,
    ),
]


def study_files(files: list[Path] | None) -> list[Path]:
    """Return the config files of a study: `config.yaml` of the working directory comes first, named or not.

    Raises:
        StudyError: there is none.
    """
    named = list(files or [])
    all_files = named if BASE in named or not BASE.exists() else [BASE, *named]
    if not all_files:
        raise StudyError(
            "no config.yaml here", where=Path.cwd(), remedy="go to the folder of the workflow, or name a config file"
        )
    return all_files


def open_study(
    files: list[Path] | None, command_line: Mapping[str, Any] | None = None, anywhere: bool = False
) -> tuple[Study, Path]:
    """Return the study of these config files, and the folder of its results.

    `command_line` holds the values of `--config`. Commands that need no results may run `anywhere`; others need the
    folder of the workflow.

    Raises:
        StudyError: as `study_files`, `read_config` and `load_study`; or this folder is not that of the workflow.
    """
    from segstudy.config import paths
    from segstudy.config.load import load_study, merged, read_config

    all_files = study_files(files)
    study = load_study(merged(read_config(*all_files), command_line or {}), all_files, command_line)
    overlays = [str(file) for file in all_files if file != BASE]
    os.environ["SEGSTUDY_CONFIG"] = shlex.join(["--configfile", *overlays] if overlays else [])  # for messages
    results = paths.results(study.study)
    if not anywhere and not results.is_dir():
        snakefile()
    return study, results


def check_name(what: str, name: str, known: Collection[str]) -> None:
    """Raise a StudyError with the nearest name if `name` is not among the `known` ones; `what` says of what kind."""
    if name not in known:
        raise StudyError(f"no {what} is called '{name}'.{nearest(name, known)}", allowed=", ".join(known))


def snakefile() -> Path:
    """Return the Snakefile of this folder.

    Raises:
        StudyError: there is none.
    """
    for place in (Path("Snakefile"), Path("workflow/Snakefile")):
        if place.exists():
            return place
    raise StudyError("no Snakefile here", where=Path.cwd(), remedy="go to the folder of the workflow")
