"""Status of a study for a terminal: running and failed cells, or every cell in a table."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from segstudy.config import paths
from segstudy.core.progress import clock
from segstudy.core.terminal_text import visible
from segstudy.runtime import live_status
from segstudy.study.reasons import reason
from segstudy.study.status import Training, summary

ROWS = 12  # trainings that are named at once
STARTING = 60.0  # seconds until a training reports, on a busy machine
STYLES = {"done": "green", "trained": "cyan", "running": "bold", "stopped": "yellow", "failed": "red", "waiting": "dim"}
STYLES["damaged"] = STYLES["failed"]
FIGURES = {"train_loss": ".4g", "val_loss": ".4g", "val_dice": ".4f", "images_per_second": ".1f"}


def view(cells: Sequence[Training], extra: str = "") -> Group:
    """Return the study's state to print: running trainings, what failed, and the summary after `extra`."""
    running = [training for training in cells if training.state == "running"]
    lines = failures(cells)
    more = [Text(f"... and {len(running) - ROWS} more running")] if len(running) > ROWS else []
    table = [_running(running[:ROWS])] if running else []
    return Group(*table, *more, *lines, Text(extra + summary(cells), style="bold"))


def _running(running: Sequence[Training]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("training", overflow="fold")
    for column in ("epoch", "train loss", "val loss", "val Dice", "images/s", "left"):
        table.add_column(column, justify="right", no_wrap=True)
    for training in running:
        facts = training.facts
        left = facts["seconds_left"]
        table.add_row(
            training.cell.path,
            f"{facts['epoch']}/{facts['epochs']}",
            *(_figure(facts[key], form) for key, form in FIGURES.items()),
            "" if left is None else clock(left),
        )
    return table


def failures(cells: Iterable[Training]) -> list[Text]:
    """Return a line for each message that cells have failed with, or are damaged by: one data set stops many cells."""
    by_problem: dict[str, list[Training]] = {}
    for training in cells:
        if training.state in ("failed", "damaged"):
            by_problem.setdefault(f"{training.state}: {training.problem}", []).append(training)
    lines = []
    for problem, alike in list(by_problem.items())[:ROWS]:
        others = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        state, _, words = problem.partition(": ")
        lines.append(Text(visible(f"{state}: {alike[0].cell.path}{others}: {words}"), style=STYLES[state]))
    if len(by_problem) > ROWS:
        lines.append(Text(f"... and {len(by_problem) - ROWS} more failures", style=STYLES["failed"]))
    return lines


def listing(cells: Sequence[Training], results: Path) -> Table:
    """Return a table of every cell with its state and a remark."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("cell", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("", overflow="fold")
    for training in cells:
        state = Text(training.state, style=STYLES[training.state])
        table.add_row(training.cell.path, state, Text(visible(_words(training, results))))
    return table


def _words(training: Training, results: Path) -> str:
    if training.state == "done":
        return f"trained in {clock(training.seconds)}"
    if training.state == "trained":
        return f"in {clock(training.seconds)}, not measured yet"
    if training.state == "running":
        return live_status.format_status(training.facts)
    if training.state == "waiting" and _just_begun(paths.log(results, "train", training.cell.path)):
        return "its job has just begun, or was killed a moment ago"
    return training.problem or reason(training.cell, results)


def _just_begun(log: Path) -> bool:
    """Return whether a log is so young that its job may not have said yet how it stands: torch takes a while."""
    try:
        return time.time() - log.stat().st_mtime < STARTING
    except FileNotFoundError:
        return False


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
