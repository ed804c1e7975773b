"""Commands about a study as a whole: what it will cost, how it stands, what it has found."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from segstudy.cli.completion import experiments
from segstudy.cli.config_files import Files, opened, paper
from segstudy.core.errors import StudyError, nearest
from segstudy.core.terminal_text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from segstudy.study.status import Training


class State(StrEnum):
    """How a cell may stand, as in `segstudy.study.status`."""

    done, trained, running = "done", "trained", "running"
    stopped, failed, damaged, waiting = "stopped", "failed", "damaged", "waiting"


def plan(
    files: Files = None,
    gpus: Annotated[
        int | None,
        typer.Option(min=0, help="Trainings on GPUs at once; 0: on CPU cores. As many as this machine has, at most 1."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU cores of one training.")] = 1,
) -> None:
    """What a study will cost, before anything is submitted: cells, hours, disk, the longest chain."""
    from segstudy.runtime.resources import has_gpu
    from segstudy.study.plan import show

    study, results = opened(files)
    show(study, results, paper(), int(has_gpu()) if gpus is None else gpus, threads)


def status(
    files: Files = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep looking until all is trained, or Ctrl-C.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every cell, not only what runs or failed.")] = False,
    state: Annotated[
        list[State] | None,
        typer.Option(metavar="STATE", help=f"Only cells that are {', '.join(State)}; may be repeated."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Only cells of this experiment.", autocompletion=experiments)
    ] = None,
) -> None:
    """Which cells are done, running, waiting or failed, and why. It reads files alone and disturbs nothing."""
    from rich.console import Group
    from rich.text import Text

    from segstudy.study.status import summary, trainings
    from segstudy.study.status_view import listing, view

    study, results = opened(files)
    if experiment is not None and experiment not in study.experiments:
        raise StudyError(
            f"no experiment is called '{experiment}'.{nearest(experiment, study.experiments)}",
            allowed=", ".join(study.experiments),
        )
    wanted = set(study.experiments[experiment].cells) if experiment else None
    states = {choice.value for choice in state or []}

    def look() -> list[Training]:
        return [training for training in trainings(study, results) if wanted is None or training.cell in wanted]

    def draw(found: Sequence[Training]) -> RenderableType:
        if not everything and not states:
            return view(found)
        shown = [training for training in found if not states or training.state in states]
        return Group(*([listing(shown, results)] if shown else []), Text(summary(found), style="bold"))

    console = paper()
    if watch:
        from segstudy.study import watch as live

        raise typer.Exit(live.watch(look, draw, console))
    console.print(draw(look()))


def partial(files: Files = None) -> None:
    """Tables of the cells that are there, while others still run or have failed; and why those are missing."""
    from segstudy.study.partial_tables import write_partial

    study, results = opened(files)
    say("\n".join(write_partial(study, results)) or "no cell is missing: the study's own tables are whole")


def summary(files: Files = None) -> None:
    """What a finished study found: numbers on test images, what they support, where everything lies."""
    from segstudy.study.summary import show

    study, results = opened(files)
    show(study, results, paper())
