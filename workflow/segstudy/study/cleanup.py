"""Files of a study that can be removed without losing a result, by kind.

Every kind says where its files are and why they are no longer needed. All other files stay, and so does everything
behind a symbolic link below one of the searched folders (see `roots`).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from segstudy.config import dependencies, paths
from segstudy.config.cell import Cell
from segstudy.config.study import Study
from segstudy.core.errors import StudyError
from segstudy.core.removal import link_below, remove_below
from segstudy.runtime import live_status
from segstudy.study.reasons import measured

LOGS = 10  # of Snakemake's own, that are kept
HALF_WRITTEN = re.compile(r"\..+\.partial[^/]*")  # as `segstudy.core.files` names what it has not finished
QUIET = 3600.0  # seconds since a half-written file was last touched
SEED = re.compile(r"seed\d+")


class Leftover(NamedTuple):
    """One file or folder that can go."""

    kind: str  # of KINDS
    path: Path
    size: int  # bytes that its removal frees
    root: Path  # the searched folder that it lies in


def roots(study: Study, results: Path) -> list[Path]:
    """Return the folders that are searched. Each may itself be a symbolic link, for instance to a scratch disk."""
    return [results, Path(paths.phantom(study.study, "")), paths.SNAKEMAKE / "log", paths.TRAINED]


def leftovers(study: Study, results: Path, kinds: Collection[str]) -> list[Leftover]:
    """Return what of these kinds can go, in the order of KINDS; nothing that lies behind a link."""
    removable: dict[Path, Leftover] = {}
    for kind, root, path in _searched(study, results, kinds):
        inside = any(parent in removable for parent in path.parents)
        if not inside and path not in removable and link_below(root, path) is None:
            removable[path] = Leftover(kind, path, _size(path), root)
    return list(removable.values())


def behind_links(study: Study, results: Path, kinds: Collection[str]) -> dict[Path, int]:
    """Return the links below the searched folders, each with the number of files and folders behind it that stay."""
    behind: dict[Path, set[Path]] = {}
    for _, root, path in _searched(study, results, kinds):
        link = link_below(root, path)
        if link is not None:
            behind.setdefault(link, set()).add(path)
    return {link: len(left) for link, left in behind.items()}


def _searched(study: Study, results: Path, kinds: Collection[str]) -> Iterator[tuple[str, Path, Path]]:
    for kind, (_, find) in KINDS.items():
        if kind in kinds:
            for path in find(study, results):
                yield kind, next(root for root in roots(study, results) if path.is_relative_to(root)), path


def check_idle(study: Study, results: Path) -> None:
    """Raise if Snakemake or a training uses the study's files.

    Raises:
        StudyError: Snakemake holds its lock, or a training runs.
    """
    locks = sorted((paths.SNAKEMAKE / "locks").glob("*"))
    if locks:
        raise StudyError(
            "Snakemake is at work here, or was killed at it: nothing is removed while it holds its lock",
            where=locks[0],
            remedy="wait for it; if none runs any more: snakemake --unlock",
        )
    for path in sorted(results.glob(f"{paths.anywhere(paths.RESUME)}/{live_status.STATUS}")):
        if live_status.read(path):
            raise StudyError(
                f"a training of study '{study.study}' runs: nothing is removed beside it",
                where=path.parent,
                remedy="wait for it: segstudy status --watch",
            )


def remove(removable: Sequence[Leftover]) -> None:
    """Remove these files and folders, then the folders that are empty without them.

    A link is removed, not followed, and nothing is removed behind a link that lies below the root: not even where the
    link has been put there since the search.

    Raises:
        StudyError: a link lies in the path now.
    """
    for item in removable:
        remove_below(item.root, item.path)
    for root in {item.root: None for item in removable}:
        with suppress(OSError):  # not empty, or a link
            root.rmdir()


def _size(path: Path) -> int:
    """Return the bytes that the removal of a file or folder frees: those of files that have no other name."""
    if path.is_symlink() or not path.is_dir():
        statuses = [path.lstat()]
    else:
        statuses = [Path(folder, name).lstat() for folder, _, names in os.walk(path) for name in names]
    return sum(status.st_size for status in statuses if status.st_nlink == 1)


def _cell_folders(above: Path) -> Iterator[tuple[Cell, Path]]:
    """Yield every folder `<data set>/<model>/<loss>/<recipe>/seed<k>` below `above`, with the cell of that name."""
    for path in sorted(above.glob("*/*/*/*/seed*")):
        dataset, model, loss, recipe, seed = path.relative_to(above).parts
        if SEED.fullmatch(seed) and path.is_dir():
            yield Cell(dataset, model, loss, recipe, int(seed.removeprefix("seed"))), path


def _known(study: Study) -> set[Cell]:
    return {*study.cells, *dependencies.ancestors(study)}


def _resume(study: Study, results: Path) -> Iterator[Path]:
    for cell in _known(study):
        folder = paths.of_cell(results, paths.RESUME, cell)
        trained = (paths.cell(results, cell) / "run.json").exists()
        if measured(cell, results) if cell in study.cells else trained:
            yield from (path for path in (folder, paths.published(folder)) if path.exists())


def _predictions(study: Study, results: Path) -> Iterator[Path]:
    if study.evaluation.keep_predictions:
        return
    folders = [*map(paths.anywhere, (paths.CELL, paths.ENSEMBLE, paths.EXTERNAL, paths.ENSEMBLE_EXTERNAL))]
    for pattern in (*folders, *(f"{folder}/{paths.FLIPS}" for folder in folders)):
        for counts in sorted(results.glob(f"{pattern}/counts.csv")):
            if (probabilities := counts.with_name("probabilities")).exists():
                yield probabilities


def _partial(study: Study, results: Path) -> Iterator[Path]:
    if (results / paths.PARTIAL).exists():
        yield results / paths.PARTIAL


def _strange_cells(study: Study, results: Path) -> Iterator[Path]:
    known = _known(study)
    for place in OF_CELLS:
        for above in sorted(results.glob(place)):
            for cell, folder in _cell_folders(above):
                if cell not in known:
                    yield folder
    for cell, _ in _cell_folders(results / paths.CELLS):
        if cell in known:
            continue
        published = paths.published(paths.of_cell(results, paths.RESUME, cell))
        yield from (path for path in [published] if path.exists())
        for pattern in FILES_OF_A_CELL:
            yield from sorted(results.glob(paths.anywhere(pattern, **cell._asdict())))


# Folders that hold one folder for each cell.
OF_CELLS = [
    paths.anywhere(pattern.removesuffix(f"/{paths.NAMES}")) for pattern in (paths.CELL, paths.RESUME, paths.PSEUDO)
]
FILES_OF_A_CELL = (
    *(pattern.replace("{names}", paths.NAMES) for pattern in (paths.LOG, paths.BENCHMARK)),
    *(paths.CHAIN_CHECK, paths.PSEUDO_CHECK, paths.PSEUDO_SHEET, paths.DENOISING),
    *(paths.GALLERY, paths.GALLERY.replace(".jpg", ".png")),  # earlier versions drew PNG
)


def _phantoms(study: Study, results: Path) -> Iterator[Path]:
    for manifest in sorted(Path().glob(f"{paths.phantom(study.study, '*')}/{paths.PHANTOM_MANIFEST}")):
        dataset = study.datasets.get(manifest.parent.name)
        if dataset is None or dataset.phantom is None:
            yield manifest.parent


def _half_written(study: Study, results: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(results):
        for name in [*folders, *names]:
            path = Path(folder, name)
            if HALF_WRITTEN.fullmatch(name) and time.time() - path.lstat().st_mtime > QUIET:
                yield path


def _logs(study: Study, results: Path) -> Iterator[Path]:
    logs = sorted((paths.SNAKEMAKE / "log").glob("*.snakemake.log"), key=lambda path: path.stat().st_mtime_ns)
    yield from logs[:-LOGS]


def _trained(study: Study, results: Path) -> Iterator[Path]:
    if paths.TRAINED.is_dir():
        yield from sorted(paths.TRAINED.iterdir())


Find = Callable[[Study, Path], Iterator[Path]]
KINDS: dict[str, tuple[str, Find]] = {
    "resume": ("resume states of cells that are measured", _resume),
    "predictions": ("probabilities of what is measured, which evaluation.keep_predictions does not keep", _predictions),
    "partial": ("tables of an unfinished study; segstudy partial writes them anew", _partial),
    "cells": ("cells that these config files do not have (any more), with their logs and pictures", _strange_cells),
    "phantoms": ("drawn images of data sets that are not drawn any more", _phantoms),
    "half-written": ("files that a killed job has not finished", _half_written),
    "trained": (
        "files of all trainings of all studies here; without them, the same cell would be trained again",
        _trained,
    ),
    "logs": (f"Snakemake's own logs but the last {LOGS}, of all studies here", _logs),
}
