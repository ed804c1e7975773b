"""Cells that a table has to do without: why, and how the table says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from segstudy import live
from segstudy.config import Cell
from segstudy.errors import StudyError, in_one_line
from segstudy.provenance import read_run
from segstudy.table_formats import DASH, Entry, Line, Panel, Table

Missing = Sequence[tuple[Cell, str]]
OF_CELLS = ("train", "predict", "measure")
OF_DATA = ("phantom", "index", "describe", "check_images", "preprocess")
OF_SPLITS = ("split", "check_split")
KEYS = ["dataset", "model", "loss", "recipe"]


def missing_cells(cells: Sequence[Cell], results: Path) -> list[tuple[Cell, str]]:
    """Return those of the cells that have not been measured, each with the reason that the files tell."""
    return [(cell, reason(cell, results)) for cell in cells if not finished(cell, results)]


def finished(cell: Cell, results: Path) -> bool:
    """Return whether a table can be made of the cell: it is trained and measured, and neither file is damaged."""
    return measured(cell, results) and not damage(cell, results)


def measured(cell: Cell, results: Path) -> bool:
    """Return whether the files of a trained and measured cell are there, whatever is in them."""
    folder = results / "cells" / cell.path
    return (folder / "run.json").exists() and (folder / "counts.csv").exists()


def damage(cell: Cell, results: Path) -> str:
    """Return what is damaged of a cell's run.json and counts.csv, '' where nothing is."""
    folder = results / "cells" / cell.path
    for path, read in ((folder / "run.json", _read_run), (folder / "counts.csv", _read_counts)):
        if path.exists() and (found := read(path, path.stat().st_mtime_ns)):
            return found
    return ""


@lru_cache(maxsize=4096)
def _read_run(path: Path, changed: int) -> str:
    return _said(lambda: read_run(path, ("seconds", "starts")))


@lru_cache(maxsize=4096)
def _read_counts(path: Path, changed: int) -> str:
    from segstudy.measured_counts import read_measured

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
    facts = live.read(results / "resume" / cell.path / live.STATUS)
    if facts:
        return f"still training, epoch {facts['epoch']} of {facts['epochs']}"
    if damaged := damage(cell, results):
        return damaged
    logs = {rule: results / "logs" / rule / f"{cell.path}.log" for rule in reversed(OF_CELLS)}
    logs |= {rule: results / "logs" / rule / cell.dataset / f"seed{cell.seed}.log" for rule in OF_SPLITS}
    logs |= {rule: results / "logs" / rule / f"{cell.dataset}.log" for rule in OF_DATA}
    for rule, log in logs.items():
        if message := problem(log, rule):
            return message
    if (results / "resume" / cell.path / "state.pt").exists():
        return "begun; the same command continues it"
    if (results / "cells" / cell.path / "run.json").exists():
        return "trained, not measured yet"
    if logs["train"].exists():
        return f"its job ended without a word: killed, or out of time or memory; see {logs['train']}"
    return "not begun"


def problem(log: Path, rule: str) -> str:
    """Return the message that ended a job, '' where its log has none (`segstudy.jobs` writes them)."""
    try:
        _, found, text = log.read_text(encoding="utf-8", errors="replace").rpartition(f"Error in {rule}")
    except OSError:
        return ""
    return text.strip().partition("\n")[0].partition(": ")[2] if found else ""


def with_missing_rows(wide: pd.DataFrame, missing: Missing) -> pd.DataFrame:
    """Return the table's csv with a column `missing`, the seeds of a row that are, and a row where none is there."""
    counted = Counter(cell[:4] for cell, _ in missing)
    lost = pd.DataFrame([(*key, number) for key, number in counted.items()], columns=[*KEYS, "missing"])
    there = wide.merge(lost, on=KEYS, how="left")
    known = set(wide[KEYS].itertuples(index=False, name=None))
    gone = lost[[key not in known for key in counted]]
    whole = pd.concat([there, gone], ignore_index=True)
    whole = whole.fillna({"row": "cell", "seeds": 0, "missing": 0})
    return whole.astype({"missing": int, "seeds": int})


def missing_table(missing: Missing) -> pd.DataFrame:
    """Return the missing cells, one a row, with the reason."""
    return pd.DataFrame([(*cell, text) for cell, text in missing], columns=[*Cell._fields, "reason"])


def with_missing_cells(table: Table, missing: Missing, cells: int) -> Table:
    """Return a table that names the cells it has to do without; where there are none, the table as it is.

    Args:
        table: of the cells that are there.
        missing: the others.
        cells: number of all.
    """
    if not missing:
        return table
    names = [head.lower() for head in table.name_heads if head != "Class"]
    lines = [
        Line(
            cell.dataset,
            tuple(getattr(cell, head.lower()) if head.lower() in names else DASH for head in table.name_heads),
            control=False,
            entries=(Entry(text=str(cell.seed)), Entry(text=f"missing: {text}")),
        )
        for cell, text in missing
    ]
    warning = (
        f"PARTIAL: {len(missing)} of {cells} cells are missing and in no mean; the last panel says which, and why. "
        "Tables by stratum and class, comparisons, ranking, figures and the report wait until all are there."
    )
    panel = Panel("missing", "Missing cells", ("Seed", "Why"), lines, [])
    return table._replace(
        title=f"{table.title} (PARTIAL)", protocol=[warning, *table.protocol], panels=[*table.panels, panel]
    )


def nothing_but_missing(experiment: str, question: str, phantoms: Mapping[str, bool]) -> Table:
    """Return the table of an experiment of which no cell is there."""
    drawn = tuple(name for name, phantom in phantoms.items() if phantom)
    title = f"Experiment {experiment}" + (f" (PHANTOM data: {', '.join(drawn)})" if drawn else "")
    return Table(experiment, title, question, drawn, [], ("Model", "Loss", "Recipe"), [])
