"""Which study a command is about: the config files given to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segstudy.config import Study, load_study
from segstudy.config.study import read_config

BASE = Path("config.yaml")

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[STUDY.yaml]...",
        help="Config files as for snakemake --configfile, later ones winning; config.yaml is always the first.",
        show_default=False,
    ),
]


def opened(files: list[Path] | None) -> tuple[Study, Path]:
    """Return the study of these config files, and the folder of its results.

    `config.yaml` of the working directory comes first, as in Snakemake, named or not.
    """
    named = list(files or [])
    found = named if BASE in named or not BASE.exists() else [BASE, *named]
    study = load_study(read_config(*found), found)
    return study, Path("results") / study.study
