"""Status of a study, from the files of its jobs: which cells are done, running or failed, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from segstudy.config import dependencies, paths
from segstudy.config.cell import Cell
from segstudy.config.study import Study
from segstudy.core.checksums import check_size
from segstudy.core.errors import StudyError, in_one_line
from segstudy.core.progress import clock
from segstudy.core.provenance import SECONDS, read_run
from segstudy.runtime import live_status
from segstudy.study import reasons

# done: trained and measured; trained: not measured yet; failed: a job of the cell, or one of its data, has said why;
# damaged: a file of the finished cell is not what was written.
STATES = ("done", "trained", "running", "stopped", "failed", "damaged", "waiting")
OPEN = ("running", "stopped", "waiting")  # their training is not over


class Training(NamedTuple):
    """One cell and its state."""

    cell: Cell
    state: str  # of STATES
    facts: Mapping[str, Any]  # of a running one: `training.reporter.Reporter`
    seconds: float  # that its training took, where that is over; 0 where its record is damaged
    problem: str  # why it has failed, or what is damaged and the command that mends it


def trainings(study: Study, results: Path) -> list[Training]:
    """Return every cell of the study with its state: first those that others start or learn from, then its own."""
    sources = [_training(cell, results, measured=False) for cell in dependencies.ancestors(study)]
    return sources + [_training(cell, results, measured=True) for cell in study.cells]


def _training(cell: Cell, results: Path, measured: bool) -> Training:
    """Return the state of one cell; one that is not `measured` is done when it is trained."""
    record = paths.cell(results, cell) / "run.json"
    with suppress(FileNotFoundError):  # a record disappears when its training is made again
        seconds, damage = _seconds(record, record.stat().st_mtime_ns)
        counts = record.with_name("counts.csv")
        if measured and not damage and counts.exists():
            damage = _damage(counts)
        if damage:
            return Training(cell, "damaged", {}, seconds, damage)
        if not measured or counts.exists():
            return Training(cell, "done", {}, seconds, "")
        problem = reasons.first_problem(_logs(cell, results, ("measure", "predict")))
        return Training(cell, "failed" if problem else "trained", {}, seconds, problem)
    resume = paths.of_cell(results, paths.RESUME, cell)
    facts = live_status.read(resume / live_status.STATUS)
    if facts:
        return Training(cell, "running", facts, 0.0, "")
    problem = reasons.first_problem(_logs(cell, results, ("train",)))
    if (resume / "state.pt").exists() and (not problem or "state saved" in problem):
        return Training(cell, "stopped", {}, 0.0, "")
    problem = problem or reasons.first_problem(_data_logs(cell, results))
    return Training(cell, "failed" if problem else "waiting", {}, 0.0, problem)


@lru_cache(maxsize=4096)
def _seconds(record: Path, changed: int) -> tuple[float, str]:
    """Return the seconds of a finished training, whose run.json was `changed` then, and what is damaged in it.

    It is read once.
    """
    try:
        return float(sum(read_run(record)["seconds"][part] for part in SECONDS)), ""
    except StudyError as error:
        return 0.0, in_one_line(error)


def _damage(counts: Path) -> str:
    """Return what is damaged of a cell's counts, by their size alone: status looks at all cells, again and again."""
    try:
        check_size(counts)
    except StudyError as error:
        return in_one_line(error)
    return ""


def _logs(cell: Cell, results: Path, rules: Sequence[str]) -> dict[str, Path]:
    return {rule: paths.log(results, rule, cell.path) for rule in rules}


def _data_logs(cell: Cell, results: Path) -> dict[str, Path]:
    """Return the logs of the jobs that made what the cell is trained on."""
    logs = {rule: paths.log_of_split(results, rule, cell.dataset, cell.seed) for rule in reasons.OF_SPLITS}
    return logs | {rule: paths.log(results, rule, cell.dataset) for rule in reasons.OF_DATA}


def seconds_left(cells: Sequence[Training]) -> float | None:
    """Return how long the other trainings may take with as many at once as run now; None where nothing is known yet.

    A training that waits is taken to last as long as the finished and running ones of its data set and network do,
    else of its data set, else of all.
    """
    known = [(t.cell, t.seconds) for t in cells if t.seconds]
    known += [(t.cell, _whole(t.facts)) for t in cells if t.state == "running" and t.facts["seconds_left"] is not None]
    waiting = [t.cell for t in cells if t.state in ("waiting", "stopped")]
    running = [t.facts["seconds_left"] or 0.0 for t in cells if t.state == "running"]
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


def summary(cells: Sequence[Training]) -> str:
    """Return the study's state as one line."""
    counts = Counter(training.state for training in cells)
    words = {"trained": "trained and not measured yet"}
    parts = [f"{counts['done']} of {len(cells)} cells done"]
    parts += [f"{counts[state]} {words.get(state, state)}" for state in STATES[1:] if counts[state]]
    left = seconds_left(cells)
    estimate = f"about {clock(left)} of training left" if left is not None else "time left not known yet"
    return ", ".join([*parts, *([estimate] * any(counts[state] for state in OPEN))])
