"""Commands about a study as a whole: `plan`, `status`, `partial` and `summary`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from segstudy.cli.completion import experiments
from segstudy.cli.config_files import Files, check_name, open_study, study_files
from segstudy.core.terminal_text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from segstudy.study.status import Training


class State(StrEnum):
    """The states of a cell, as in `segstudy.study.status`."""

    done, trained, running = "done", "trained", "running"
    stopped, failed, damaged, waiting = "stopped", "failed", "damaged", "waiting"


def plan(
    files: Files = None,
    gpus: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Trainings that run on GPUs at once; 0: on CPU cores. Default: 1 if this machine has a GPU, else 0.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU cores of each training.")] = 1,
) -> None:
    """Estimate what a study costs before anything runs: cells, hours, disk, the longest chain of jobs."""
    from segstudy.cli.console import console
    from segstudy.models.library_check import check_networks
    from segstudy.runtime.resources import has_gpu
    from segstudy.study.plan import show

    study, results = open_study(files)
    check_networks(study, study_files(files))
    show(study, results, console(), int(has_gpu()) if gpus is None else gpus, threads)


def status(
    files: Files = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Keep the view up to date until all cells are trained; Ctrl-C stops.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="List every cell, not only those that run or failed.")
    ] = False,
    state: Annotated[
        list[State] | None,
        typer.Option(metavar="STATE", help=f"List only cells that are {', '.join(State)}; may be repeated."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Only cells of this experiment.", autocompletion=experiments)
    ] = None,
) -> None:
    """Show which cells are done, running, waiting or failed, and why. Only reads files: never disturbs a run."""
    from rich.console import Group
    from rich.text import Text

    from segstudy.cli.console import console
    from segstudy.core.terminal_text import visible
    from segstudy.study.measurings import measurings, progress
    from segstudy.study.status import summary, trainings
    from segstudy.study.status_view import listing, view

    study, results = open_study(files)
    if experiment is not None:
        check_name("experiment", experiment, study.experiments)
    wanted = None if experiment is None else set(study.experiments[experiment].cells)
    states = {choice.value for choice in state or []}

    def look() -> list[Training]:
        return [training for training in trainings(study, results) if wanted is None or training.cell in wanted]

    def draw(cells: Sequence[Training]) -> RenderableType:
        found = [item for item in measurings(study, results) if wanted is None or item.cell in wanted]
        beside = [Text(visible(line), style="bold") for line in progress(found)]
        if not everything and not states:
            return Group(view(cells), *beside)
        listed = [training for training in cells if not states or training.state in states]
        return Group(*([listing(listed, results)] if listed else []), Text(summary(cells), style="bold"), *beside)

    if watch:
        from segstudy.study import watch as live

        raise typer.Exit(live.watch(look, draw, console()))
    console().print(draw(look()))


def partial(files: Files = None) -> None:
    """Write tables of the finished cells while others still run or have failed, and say why those are missing."""
    from segstudy.study.partial_tables import write_partial

    study, results = open_study(files)
    say("\n".join(write_partial(study, results)) or "no cell is missing: the study's own tables are complete")


def summary(files: Files = None) -> None:
    """Show the results of a finished study: scores on test images, what they support, where the files are."""
    from segstudy.cli.console import console
    from segstudy.study.summary import show

    study, results = open_study(files)
    show(study, results, console())
