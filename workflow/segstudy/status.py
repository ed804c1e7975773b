"""How a study stands: `python -m segstudy.status config.yaml studies/demo.yaml [--watch] [-- command ...]`.

Prints which trainings are done, running, stopped or failed, and how long the rest may take. With `--watch` it goes on
until all are done; with a command (Snakemake's) it runs that, shows its lines, and keeps the study's state below them.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from segstudy import live
from segstudy.config import Cell, Study, load_study
from segstudy.config.study import read_config
from segstudy.errors import StudyError
from segstudy.files import read_json
from segstudy.progress import clock

STATES = ("trained", "running", "stopped", "failed", "waiting")
ROWS = 12  # trainings that are named at once
FAILURE = "Error in train"  # how `segstudy.jobs` begins its message in the log


class Training(NamedTuple):
    """One cell and how its training stands."""

    cell: Cell
    state: str  # of STATES
    facts: Mapping[str, Any]  # of a running one: `training_log.Reporter`
    seconds: float  # that a finished one took
    problem: str  # of a failed one


def trainings(study: Study, results: Path) -> list[Training]:
    """Return every cell of the study, and those they build on, with its state, as the files below `results` tell it."""
    return [_training(cell, results) for cell in [*study.cells, *study.ancestors]]


def _training(cell: Cell, results: Path) -> Training:
    record = results / "cells" / cell.path / "run.json"
    with suppress(FileNotFoundError):  # a record disappears when its training is made again
        return Training(cell, "trained", {}, _seconds(record, record.stat().st_mtime_ns), "")
    resume = results / "resume" / cell.path
    facts = live.read(resume / live.STATUS)
    if facts:
        return Training(cell, "running", facts, 0.0, "")
    problem = _problem(results / "logs/train" / f"{cell.path}.log")
    if (resume / "state.pt").exists() and (not problem or "state saved" in problem):
        return Training(cell, "stopped", {}, 0.0, "")
    return Training(cell, "failed" if problem else "waiting", {}, 0.0, problem)


@cache
def _seconds(record: Path, changed: int) -> float:
    """Return the seconds of a finished training, whose run.json was `changed` then: it is read once."""
    seconds = read_json(record)["seconds"]
    return float(seconds["steps"] + seconds["validation"] + seconds["saving"])


def _problem(log: Path) -> str:
    """Return what the log of a training that failed says, else ''."""
    try:
        _, found, message = log.read_text(encoding="utf-8", errors="replace").rpartition(FAILURE)
    except OSError:
        return ""
    return message.strip().partition("\n")[0].partition(": ")[2] if found else ""


def seconds_left(found: Sequence[Training]) -> float | None:
    """Return how long the other trainings may take with as many at once as run now; None where nothing is known yet.

    A training that waits is taken to last as long as the finished and running ones of its data set and network do,
    else of its data set, else of all.
    """
    known = [(t.cell, t.seconds) for t in found if t.state == "trained"]
    known += [(t.cell, _whole(t.facts)) for t in found if t.state == "running" and t.facts["seconds_left"] is not None]
    waiting = [t.cell for t in found if t.state in ("waiting", "stopped")]
    running = [t.facts["seconds_left"] or 0.0 for t in found if t.state == "running"]
    if not known and waiting:
        return None
    total = sum(running) + sum(_expected(cell, known) for cell in waiting)
    return max([total / max(1, len(running)), *running])


def _whole(facts: Mapping[str, Any]) -> float:
    """Return how long a running training lasts from its first epoch, at its speed."""
    done = (facts["epoch"] - 1 + facts["step"] / facts["steps"]) / facts["epochs"]
    return facts["seconds_left"] / max(1 - done, 1e-9) if done < 1 else 0.0


def _expected(cell: Cell, known: Sequence[tuple[Cell, float]]) -> float:
    for same in (2, 1, 0):
        alike = [seconds for other, seconds in known if other[:same] == cell[:same]]
        if alike:
            return fmean(alike)
    raise ValueError("nothing is known")


def summary(found: Sequence[Training]) -> str:
    """Return the study's state as one line."""
    counts = Counter(training.state for training in found)
    parts = [f"{counts['trained']} of {len(found)} cells trained"]
    parts += [f"{counts[state]} {state}" for state in STATES[1:] if counts[state]]
    left = seconds_left(found)
    open_ = counts["running"] + counts["waiting"] + counts["stopped"]
    estimate = f"about {clock(left)} of training left" if left is not None else "time left not known yet"
    return ", ".join([*parts, *([estimate] * bool(open_))])


def view(found: Sequence[Training], extra: str = "") -> Group:
    """Return the study's state to print: running trainings, failed ones, and the summary after `extra`."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("training", "epoch", "train loss", "val loss", "val Dice", "images/s", "left"):
        table.add_column(column, justify="left" if column == "training" else "right", no_wrap=True)
    running = [training for training in found if training.state == "running"]
    for training in running[:ROWS]:
        facts = training.facts
        left = facts["seconds_left"]
        table.add_row(
            training.cell.path,
            f"{facts['epoch']}/{facts['epochs']}",
            *(_figure(facts[key], form) for key, form in FIGURES.items()),
            "" if left is None else clock(left),
        )
    failed = [training for training in found if training.state == "failed"]
    lines = [Text(f"failed: {t.cell.path}: {t.problem}", style="red", overflow="ellipsis") for t in failed[:ROWS]]
    lines += [
        Text(f"... and {len(part) - ROWS} more {part[0].state}") for part in (running, failed) if len(part) > ROWS
    ]
    return Group(*([table] if running else []), *lines, Text(extra + summary(found), style="bold"))


FIGURES = {"train_loss": ".4g", "val_loss": ".4g", "val_dice": ".4f", "images_per_second": ".1f"}


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def main() -> None:
    """Command line."""
    arguments, command = sys.argv[1:], []
    if "--" in arguments:
        place = arguments.index("--")
        arguments, command = arguments[:place], arguments[place + 1 :]
    files = [Path(argument) for argument in arguments if argument != "--watch"] or [Path("config.yaml")]
    console = Console(stderr=bool(command))
    try:
        study = load_study(read_config(*files), files)
    except StudyError as error:
        sys.exit(f"Error: {error}")
    results = Path("results") / study.study
    if command and not console.is_terminal:
        os.execvp(command[0], command)  # nobody to show it to: nothing stands between the command and its reader
    if command or "--watch" in arguments:
        from segstudy import watch

        sys.exit(watch.run(study, results, console, command) if command else watch.watch(study, results, console))
    console.print(view(trainings(study, results)))


if __name__ == "__main__":
    main()
