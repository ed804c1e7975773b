"""Commands about a study as a whole."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from segstudy.cli.studies import Files, opened


def plan(
    files: Files = None,
    gpus: Annotated[
        int | None,
        typer.Option(help="Trainings on GPUs at once; 0: on CPU cores. As many as this machine has, at most 1."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU cores of one training.")] = 1,
) -> None:
    """What a study will cost, before anything is submitted: cells, hours, disk, the longest chain."""
    from rich.console import Console

    from segstudy.machine import has_gpu
    from segstudy.plan import WIDTH, show

    study, results = opened(files)
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    show(study, results, console, int(has_gpu()) if gpus is None else gpus, threads)
