"""The inputs of a cell beside its own data set: the cells it builds on, their labels and checks, other seeds.

Every function that returns a path returns an empty list where a cell has no such input, as Snakemake wants it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from segstudy.config import dependencies, paths
from segstudy.config.cell import Cell
from segstudy.config.study import Study

Input = str | list[str]


@cache
def sources(study: Study, cell: Cell) -> dict[str, Cell]:
    """Return the cells that a cell builds on, by their role: `start`, `teacher`."""
    return dependencies.sources(study, cell)


def source_paths(study: Study, cell: Cell) -> dict[str, str]:
    """Return the same as the names of the cells."""
    return {role: source.path for role, source in sources(study, cell).items()}


def model(study: Study, cell: Cell, role: str) -> Input:
    """Return the model of the cell's `start` (whose weights it starts from) or `teacher` (that labels for it)."""
    source = sources(study, cell).get(role)
    return f"{in_results(study, paths.CELL, source)}/model.safetensors" if source else []


def network(study: Study, cell: Cell) -> str:
    """Return the `network:` of a cell's model, which its model file must not replace by another module."""
    return study.models[cell.model].kind


def unlabelled(study: Study, cell: Cell) -> str | None:
    """Return the data set whose images a cell sees without their masks; None where there is none."""
    return dependencies.unlabelled_of(study, cell)


def label_share(study: Study, cell: Cell) -> float:
    """Return the share of the training labels that a cell uses."""
    return study.recipe(cell.dataset, cell.recipe).labels


def sheet_title(study: Study, cell: Cell) -> str:
    """Return the title of the picture of a cell's pseudo-labels."""
    return f"{unlabelled(study, cell)}, labelled for {cell.path} by {sources(study, cell)['teacher'].path}"


def sheet_is_drawn(study: Study, cell: Cell) -> bool:
    """Return whether the cell's images or the unlabelled ones are drawn."""
    return any(study.datasets[name].phantom for name in (cell.dataset, unlabelled(study, cell)) if name)


def unlabelled_file(study: Study, cell: Cell, pattern: str) -> Input:
    """Return a file of that data set: `paths.STORE`, `paths.SPLIT`, `paths.INDEX`."""
    dataset = unlabelled(study, cell)
    return in_results(study, pattern, cell._replace(dataset=dataset)) if dataset else []


def pseudo_labels(study: Study, cell: Cell, name: str) -> Input:
    """Return a file of the labels that the cell's teacher gave to the unlabelled images."""
    teacher = sources(study, cell).get("teacher")
    if teacher is None:
        return []
    folder = paths.PSEUDO.format(unlabelled=unlabelled(study, cell), **teacher._asdict())
    return f"{paths.results(study.study)}/{folder}/{name}"


def accepted(study: Study, cell: Cell) -> Input:
    """Return the table of the pseudo-labels that a cell learns from."""
    return f"{in_results(study, paths.CELL, cell)}/pseudo/accepted.csv" if "teacher" in sources(study, cell) else []


def accepted_check(study: Study, cell: Cell) -> Input:
    """Return the check that the cell learns from some pseudo-labels."""
    return in_results(study, paths.PSEUDO_CHECK, cell) if "teacher" in sources(study, cell) else []


def acceptance(study: Study, cell: Cell) -> dict[str, Any]:
    """Return the settings by which a cell's pseudo-labels are selected."""
    pseudo = study.recipe(cell.dataset, cell.recipe).pseudo_labels
    assert pseudo is not None
    return pseudo.accept.model_dump(mode="json")


@cache
def seen(study: Study, cell: Cell) -> list[dependencies.Seen]:
    """Return what the sources of a cell have seen, by data set and split."""
    return dependencies.seen(study, cell)


def seen_values(study: Study, cell: Cell) -> list[dict[str, Any]]:
    """Return the same as plain values, for a parameter."""
    return [item._asdict() for item in seen(study, cell)]


def chain_check(study: Study, cell: Cell) -> Input:
    """Return the check that no source has seen what the cell is measured on; nothing for a cell that stands alone."""
    denoises = study.recipe(cell.dataset, cell.recipe).denoising
    return in_results(study, paths.CHAIN_CHECK, cell) if seen(study, cell) and not denoises else []


def chain_splits(study: Study, cell: Cell) -> list[list[Any]]:
    """Return [data set, seed] of every split that the check of a chain reads, the cell's own first."""
    pairs = [(cell.dataset, cell.seed), *((item.dataset, item.seed) for item in seen(study, cell))]
    return [list(pair) for pair in dict.fromkeys(pairs)]


def chain_split_files(study: Study, cell: Cell) -> list[str]:
    """Return those splits."""
    return of_splits(study, chain_splits(study, cell))


def chain_datasets(study: Study, cell: Cell) -> list[str]:
    """Return every data set that the check of a chain reads, the cell's own first."""
    return list(dict.fromkeys(name for name, _ in chain_splits(study, cell)))


def chain_files(study: Study, cell: Cell, name: str) -> list[str]:
    """Return a file of each of those data sets."""
    return of_datasets(study, f"{paths.DATA}/{name}", chain_datasets(study, cell))


def in_results(study: Study, pattern: str, cell: Cell) -> str:
    """Return the path of a cell by a pattern of `segstudy.config.paths`."""
    return f"{paths.results(study.study)}/{pattern.format(**cell._asdict())}"


def of_cells(study: Study, pattern: str, cells: Sequence[Cell]) -> list[str]:
    """Return the same for each of several cells."""
    whole = f"{paths.results(study.study)}/{pattern}"
    return [whole.format(**cell._asdict()) for cell in cells]


def of_datasets(study: Study, pattern: str, datasets: Iterable[str]) -> list[str]:
    """Return the path of each of several data sets by a pattern of `segstudy.config.paths`."""
    whole = f"{paths.results(study.study)}/{pattern}"
    return [whole.format(dataset=name) for name in datasets]


def of_splits(study: Study, pairs: Iterable[Sequence[Any]]) -> list[str]:
    """Return the split of each (data set, seed)."""
    folder = paths.results(study.study)
    return [str(paths.split(folder, dataset, seed)) for dataset, seed in pairs]
