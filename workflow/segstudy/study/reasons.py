"""Reasons why a cell has not been measured, from its files and logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.core.errors import StudyError, in_one_line
from segstudy.core.provenance import read_run
from segstudy.runtime import live_status

OF_CELLS = ("train", "predict", "measure")
OF_DATA = ("phantom", "index", "describe", "check_images", "preprocess")
OF_SPLITS = ("split", "check_split")


def missing_cells(cells: Sequence[Cell], results: Path) -> list[tuple[Cell, str]]:
    """Return those of the cells that have not been measured, each with the reason that the files tell."""
    return [(cell, reason(cell, results)) for cell in cells if not finished(cell, results)]


def finished(cell: Cell, results: Path) -> bool:
    """Return whether a table can be made of the cell: it is trained and measured, and neither file is damaged."""
    return measured(cell, results) and not damage(cell, results)


def measured(cell: Cell, results: Path) -> bool:
    """Return whether the files of a trained and measured cell are there, whatever is in them."""
    folder = paths.cell(results, cell)
    return (folder / "run.json").exists() and (folder / "counts.csv").exists()


def damage(cell: Cell, results: Path) -> str:
    """Return what is damaged of a cell's run.json and counts.csv, '' where nothing is."""
    folder = paths.cell(results, cell)
    for path, read in ((folder / "run.json", _read_run), (folder / "counts.csv", _read_counts)):
        if path.exists() and (message := read(path, path.stat().st_mtime_ns)):
            return message
    return ""


@lru_cache(maxsize=4096)
def _read_run(path: Path, changed: int) -> str:
    return _said(lambda: read_run(path, ("seconds", "starts")))


@lru_cache(maxsize=4096)
def _read_counts(path: Path, changed: int) -> str:
    from segstudy.tables.counts_check import read_measured

    return _said(lambda: read_measured(path))


def _said(read: Callable[[], object]) -> str:
    """Return what is wrong with a file, in one line."""
    try:
        read()
    except StudyError as error:
        return in_one_line(error)
    return ""


def reason(cell: Cell, results: Path) -> str:
    """Return why a cell has not been measured: the message of the job that failed, else how far it is."""
    resume = paths.of_cell(results, paths.RESUME, cell)
    facts = live_status.read(resume / live_status.STATUS)
    if facts:
        return f"still training, epoch {facts['epoch']} of {facts['epochs']}"
    if damaged := damage(cell, results):
        return damaged
    logs = {rule: paths.log(results, rule, cell.path) for rule in reversed(OF_CELLS)}
    logs |= {rule: paths.log_of_split(results, rule, cell.dataset, cell.seed) for rule in OF_SPLITS}
    logs |= {rule: paths.log(results, rule, cell.dataset) for rule in OF_DATA}
    for rule, log in logs.items():
        if message := problem(log, rule):
            return message
    if (resume / "state.pt").exists():
        return "begun; the same command continues it"
    if (paths.cell(results, cell) / "run.json").exists():
        return "trained, not measured yet"
    if logs["train"].exists():
        return f"its job ended without a word: killed, or out of time or memory; see {logs['train']}"
    return "not begun"


def first_problem(logs: Mapping[str, Path]) -> str:
    """Return what the first of these jobs, by rule, that failed says; '' where none did."""
    for rule, log in logs.items():
        with suppress(FileNotFoundError):
            status = log.stat()
            if text := _problem(log, rule, status.st_mtime_ns, status.st_size):
                return text if rule == "train" else f"{rule}: {text}"
    return ""


@lru_cache(maxsize=4096)
def _problem(log: Path, rule: str, changed: int, size: int) -> str:
    """Return the message in a log of this time and size: who watches a study reads each once."""
    return problem(log, rule)


def problem(log: Path, rule: str) -> str:
    """Return the message that ended a job, '' where its log has none (`segstudy.runtime.job` writes them)."""
    try:
        _, marker, text = log.read_text(encoding="utf-8", errors="replace").rpartition(f"Error in {rule}")
    except OSError:
        return ""
    return text.strip().partition("\n")[0].partition(": ")[2] if marker else ""
