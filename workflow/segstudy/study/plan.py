"""Cost of a study, before anything is submitted.

For every experiment: which cells are done, begun and to do, hours and disk, and the longest chain of jobs. Times rest
on earlier cells of the study where there are any (see `segstudy.study.estimates`). Trainings are taken to run on GPUs,
several at once, or on CPU cores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from segstudy.config import dependencies, paths
from segstudy.config.cell import Cell
from segstudy.config.study import Study
from segstudy.study.estimates import BASES, Estimates
from segstudy.study.measurings import measurings
from segstudy.study.plan_view import assume_plans, plan_table, planned_datasets, sight_warnings
from segstudy.study.status import trainings
from segstudy.study.status_view import failures

STATES = ("done", "begun", "to do")
DATA_SECONDS = 2e-7  # of each original pixel, in index, data card and store: reading, decoding, resizing
TABLE_SECONDS = 60.0  # tables and figures of an experiment
TOTAL = "all, each cell once"
SOURCES = "what they learn from"  # cells of no experiment that others start from, or that label for them
WHOLE = ("experiment", "h per cell")  # columns that are never narrower than their content
WORDS = {
    "measured": "measured on earlier cells like it",
    "scaled": "scaled from other cells of the study",
    "guessed": "guessed from the size of network and images, since nothing like it has run: wrong by a factor of 3 at "
    "times",
}


class Planned(NamedTuple):
    """One cell: how far it is, and what is left of it."""

    cell: Cell
    state: str  # of STATES
    seconds: float  # of the rest: an upper bound where it has begun
    disk_mb: float  # of the whole cell
    basis: str


def planned(study: Study, results: Path, estimates: Estimates) -> list[Planned]:
    """Return every cell of the study, and those that they learn from, with what is left of it.

    A teacher's labelling is the work of the first of its students that is not trained; sources are trained alone.
    """
    rows, sources, labelled = [], set(dependencies.ancestors(study)), set()
    for training in trainings(study, results):
        cell = training.cell
        estimate = estimates.cell(cell.dataset, cell.model, cell.recipe)
        source, done = cell in sources, training.state == "done"
        damaged = training.state == "damaged" and not training.seconds  # its training is made again
        trained = done or ((paths.cell(results, cell) / "run.json").exists() and not damaged)
        begun = trained or training.state in ("running", "stopped")
        state = "done" if done else "begun" if begun else "to do"
        evaluation = 0.0 if source else estimate.evaluation
        left = 0.0 if done else evaluation if trained else estimate.training + evaluation
        work = labelling(study, results, cell)
        if work and not trained and work not in labelled:
            labelled.add(work)
            left += estimates.labelling(*work)
        disk = estimate.model_mb if source else estimate.disk_mb
        rows.append(Planned(cell, state, left, disk, estimate.basis))
    return rows


def measured_beside(study: Study, results: Path, estimates: Estimates) -> dict[str, list[Planned]]:
    """Return by its kind what cells are measured on beside their own images, as rows: nothing is trained for it."""
    rows: dict[str, list[Planned]] = {}
    for item in measurings(study, results):
        names = (item.cell.dataset, item.cell.model, item.cell.recipe)
        expected = estimates.external(*names, item.test_set) if item.test_set else estimates.corrupted(*names)
        left = 0.0 if item.done else expected.evaluation
        state = "done" if item.done else "to do"
        rows.setdefault(item.kind, []).append(Planned(item.cell, state, left, expected.disk_mb, expected.basis))
    return rows


def labelling(study: Study, results: Path, cell: Cell) -> tuple[Cell, str] | None:
    """Return the teacher of a cell and the data set that it is to label yet; None where nothing is."""
    teacher, unlabelled = dependencies.sources(study, cell).get("teacher"), dependencies.unlabelled_of(study, cell)
    if teacher is None or unlabelled is None:
        return None
    done = (paths.pseudo(results, unlabelled, teacher) / "measures.csv").exists()
    return None if done else (teacher, unlabelled)


def chain(
    study: Study, rows: Sequence[Planned], estimates: Estimates, beside: Sequence[Planned] = ()
) -> tuple[float, str]:
    """Return the seconds of the longest chain of jobs that wait for each other, and its words.

    `beside`: what cells are measured on beside their own images, which waits for their training.
    """
    left = [row for row in rows if row.state != "done"]
    after = {row.cell: row for row in sorted(beside, key=lambda row: row.seconds) if row.seconds}  # the longest of each
    if not left and after:
        last_row = max(after.values(), key=lambda row: row.seconds)
        return last_row.seconds + TABLE_SECONDS, f"{_beside_words(last_row)}, tables and figures"
    if not left:
        return 0.0, "nothing is left to do"
    size = {name: estimates.size(name) for name in dependencies.used_datasets(study)}
    ready = {name: s.images * s.pixels * DATA_SECONDS for name, s in size.items()}
    to_do = {row.cell: row.seconds for row in left}

    def path(cell: Cell) -> tuple[float, list[Cell]]:
        """Return the seconds up to the end of a cell, and what it waits for and itself: those that are not done."""
        ahead = [path(source) for source in dependencies.sources(study, cell).values() if source in to_do]
        longest, before = max(ahead, default=(ready[cell.dataset], []))
        return longest + to_do[cell], [*before, cell]

    def whole(timed_path: tuple[float, list[Cell]]) -> float:
        last = after.get(timed_path[1][-1])
        return timed_path[0] + (last.seconds if last else 0.0)

    longest_path = max((path(cell) for cell in to_do), key=whole)
    seconds, cells = whole(longest_path), longest_path[1]
    of_done = max((row for row in after.values() if row.cell not in to_do), key=lambda row: row.seconds, default=None)
    if of_done and of_done.seconds > seconds:
        return of_done.seconds + TABLE_SECONDS, f"{_beside_words(of_done)}, tables and figures"
    words = "index, describe, check_images, preprocess, split, check_split"
    words += "".join(f", train of {cell.path} ({_hours(to_do[cell])})" for cell in cells[:-1])
    last = cells[-1]
    words += f", train, predict, measure of {last.path} ({_hours(to_do[last])})"
    words += f", {_beside_words(after[last])}, tables and figures" if last in after else ", tables and figures"
    return seconds + TABLE_SECONDS, words


def _beside_words(row: Planned) -> str:
    return f"{row.cell.path} on other images ({_hours(row.seconds)})"


def table(
    study: Study,
    rows: Sequence[Planned],
    gpu: bool,
    threads: int = 1,
    beside: Mapping[str, Sequence[Planned]] | None = None,
) -> Table:
    """Return the cells by experiment, and what they are measured on beside, to print.

    Without a GPU a cell's seconds count for each of its threads.
    """
    by_cell = {row.cell: row for row in rows}
    result = Table(
        title=f"Study {study.study}", box=box.SIMPLE_HEAD, show_footer=True, padding=(0, 1), collapse_padding=True
    )
    parts = {name: [by_cell[cell] for cell in experiment.cells] for name, experiment in study.experiments.items()}
    if dependencies.ancestors(study):
        parts[SOURCES] = [by_cell[cell] for cell in dependencies.ancestors(study)]
    beside = beside or {}
    parts |= {f"on {kind}": [*of_kind] for kind, of_kind in beside.items()}
    each = 1 if gpu else threads
    everything = [*rows, *(row for of_kind in beside.values() for row in of_kind)]
    whole = (*_line(TOTAL, rows, each)[:5], *_line(TOTAL, everything, each)[5:])
    heads = ("experiment", "cells", *STATES, "GPU hours" if gpu else "core hours", "h per cell", "disk (GB)")
    for head, foot in zip(heads, whole, strict=True):
        result.add_column(head, foot, justify="left" if head == heads[0] else "right", no_wrap=head in WHOLE)
    for name, planned_cells in parts.items():
        result.add_row(*_line(name, planned_cells, each))
    return result


def _line(name: str, rows: Sequence[Planned], threads: int) -> tuple[str, ...]:
    states = Counter(row.state for row in rows)
    left = [row.seconds / 3600 for row in rows if row.state != "done"]
    each = "–".join(dict.fromkeys(f"{hours:.2g}" for hours in (min(left), max(left)))) if left else ""
    disk = sum(row.disk_mb for row in rows) / 1000
    return (name, str(len(rows)), *(str(states[s]) for s in STATES), f"{sum(left) * threads:.2f}", each, f"{disk:.2f}")


def show(study: Study, results: Path, console: Console, gpus: int, threads: int) -> None:
    """Print the plan."""
    unplanned = assume_plans(study, results, gpus > 0, threads)
    for name in planned_datasets(study):
        plan = study.plan_of(name)
        assert plan is not None
        console.print(plan_table(name, plan))
        if name in unplanned:
            console.print(f"Not made yet: what it would be by what is known now. {plan.path}", soft_wrap=True)
        else:
            console.print(f"Edit it there: {plan.path}", soft_wrap=True)
    estimates = Estimates(study, results, gpu=gpus > 0, threads=threads)
    rows, beside = planned(study, results, estimates), measured_beside(study, results, estimates)
    console.print(table(study, rows, gpus > 0, threads, beside))
    others = [row for of_kind in beside.values() for row in of_kind]
    seconds, words = chain(study, rows, estimates, others)
    left = [row for row in (*rows, *others) if row.state != "done"]
    work = sum(row.seconds for row in left)
    console.print(f"Longest chain: {_hours(seconds)}: {words}.", soft_wrap=True)
    if left:
        together = max(seconds, work / max(1, gpus))
        what = "GPU" if gpus else "training"
        console.print(f"With {max(1, gpus)} {what}{'s' * (gpus > 1)} at once: about {_hours(together)}.")
        bases = Counter(row.basis for row in rows if row.state != "done")
        said = [f"{bases[basis]} cells {WORDS[basis]}" for basis in BASES if bases[basis]]
        open_jobs = {kind: sum(row.state != "done" for row in of_kind) for kind, of_kind in beside.items()}
        said += [f"{number} measurings on {kind} by the pixels" for kind, number in open_jobs.items() if number]
        console.print(f"Times: {'; '.join(said)}. Early stopping is not foreseen.", soft_wrap=True)
    for warning in sight_warnings(study, results):
        console.print(f"Warning: {warning}.", soft_wrap=True)
    for line in failures(t for t in trainings(study, results) if t.state == "damaged"):
        console.print(line, soft_wrap=True)
    unseen = [name for name in dependencies.used_datasets(study) if estimates.size(name).guess]
    if unseen:
        assumed = ", ".join(f"{name} ({estimates.size(name).images} images)" for name in unseen)
        console.print(f"Not looked at yet, taken to be as published: {assumed}.", soft_wrap=True)
        console.print(
            f"Better known after: segstudy run ... -- {paths.data(results, unseen[0])}/card.html", soft_wrap=True
        )
    stored = sum(estimates.size(name).store_bytes for name in dependencies.learned_datasets(study)) / 1e9
    disk = sum(row.disk_mb for row in (*rows, *others)) / 1000
    console.print(
        f"Disk: {disk + stored:.2f} GB below {results}/, {stored:.2f} GB of it resized images.", soft_wrap=True
    )
    console.print("Done is what has its files; what a changed config, code or image redoes: snakemake -n.")


def _hours(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes / 60:.1f} h" if minutes >= 60 else f"{minutes:.1f} min"
