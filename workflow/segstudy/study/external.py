"""Inputs and parameters of external test sets: what a cell is measured on that it has nothing to do with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.config.dependencies import Seen
from segstudy.config.study import Study
from segstudy.study import cell_inputs, experiments, lookups
from segstudy.tables.variants import Variant

# Blocks of a data set of which the tables speak.
SPOKEN_OF = ("reader", "size", "region", "phantom", "scale", "external_images")


def own_seen(dataset: str, seed: int) -> list[dict[str, Any]]:
    """Return what every network of a data set has seen, as plain values: of its own training and validation images."""
    by = f"networks of {dataset}/seed{seed}"
    seen = [
        Seen(dataset, seed, ("train",), by, "were trained on it"),
        Seen(dataset, seed, ("val",), by, "chose their best epoch on it", True),
    ]
    return [item._asdict() for item in seen]


def checks(study: Study, cell: Cell, external: str) -> list[str]:
    """Return the checks that neither a cell nor its sources have seen an image of the external test set."""
    patterns = [paths.EXTERNAL_CHECK, *([paths.EXTERNAL_CHAIN_CHECK] if cell_inputs.seen(study, cell) else [])]
    return [path_of(study, pattern, cell, external) for pattern in patterns]


def own_split(study: Study, external: str, seed: int) -> str | list[str]:
    """Return the split of an external test set that says what is measured; nothing where all its images are."""
    if study.datasets[external].external_images == "all":
        return []
    return str(paths.split(paths.results(study.study), external, seed))


@cache
def tested_on(study: Study) -> dict[Cell, list[str]]:
    """Return the external test sets of every cell that has some."""
    found: dict[Cell, dict[str, None]] = {}
    for experiment in study.experiments.values():
        for cell, name in experiment.external:
            found.setdefault(cell, {})[name] = None
    return {cell: list(names) for cell, names in found.items()}


def training_checks(study: Study, cell: Cell, recorded: Sequence[str] | None) -> list[str]:
    """Return the checks of external test sets that a training waits for.

    Of a training that has been they are those that it had, which `recorded`, the inputs that Snakemake has written down
    for its model, tells: another set of inputs would train it again, and a test set more has nothing to do with it.
    """
    if recorded is None:
        return [path for name in tested_on(study).get(cell, []) for path in checks(study, cell, name)]
    folder = f"{paths.results(study.study)}/{paths.EXTERNAL_CHECKS}/"
    return [path for path in recorded if path.startswith(folder)]


def chain_splits(study: Study, cell: Cell) -> list[list[Any]]:
    """Return [data set, seed] of every split that the sources of a cell have learned by."""
    return [list(pair) for pair in dict.fromkeys((item.dataset, item.seed) for item in cell_inputs.seen(study, cell))]


def chain_split_files(study: Study, cell: Cell) -> list[str]:
    """Return those splits."""
    return cell_inputs.of_splits(study, chain_splits(study, cell))


def chain_datasets(study: Study, cell: Cell, external: str) -> list[str]:
    """Return every data set that the check of a cell's sources reads."""
    return list(dict.fromkeys([*(dataset for dataset, _ in chain_splits(study, cell)), external]))


def chain_files(study: Study, cell: Cell, external: str, name: str) -> list[str]:
    """Return a file of each of those data sets."""
    return cell_inputs.of_datasets(study, f"{paths.DATA}/{name}", chain_datasets(study, cell, external))


def seen_as(study: Study, cell: Cell, external: str) -> dict[str, Any]:
    """Return by what settings the network of a cell sees images of an external test set."""
    own = study.datasets[cell.dataset]
    scales = {"scale": own.scale, "external_scale": study.datasets[external].scale}
    return study.dataset_settings(cell.dataset, "size", "colour", "prediction") | scales


def seen_as_own(study: Study, cell: Cell) -> dict[str, Any]:
    """Return by what settings the network of a cell sees images of its own data set."""
    return study.dataset_settings(cell.dataset, "size", "colour", "prediction") | {"scale": None}


def path_of(study: Study, pattern: str, cell: Cell, external: str) -> str:
    """Return the path of a cell and an external test set by a pattern of `segstudy.config.paths`."""
    return f"{paths.results(study.study)}/{pattern.format(**cell._asdict(), external=external)}"


def experiment_values(study: Study, experiment: str) -> list[list[Any]]:
    """Return every [cell, external test set] of an experiment as plain values, for a parameter."""
    return [[list(cell), name] for cell, name in study.experiments[experiment].external]


def experiment_counts(study: Study, experiment: str) -> list[str]:
    """Return the counts of every cell of an experiment on every external test set."""
    return [
        f"{path_of(study, paths.EXTERNAL, cell, name)}/counts.csv"
        for cell, name in study.experiments[experiment].external
    ]


def _first(study: Study, experiment: str) -> list[tuple[Cell, str]]:
    """Return the cells of the first seed with their external test sets."""
    firsts = set(experiments.first_cells(study, experiment))
    return [(cell, name) for cell, name in study.experiments[experiment].external if cell in firsts]


def first_values(study: Study, experiment: str) -> list[list[Any]]:
    """Return those as plain values, for a parameter."""
    return [[list(cell), name] for cell, name in _first(study, experiment)]


def first_files(study: Study, experiment: str, file: str) -> list[str]:
    """Return a file of each of those."""
    return [f"{path_of(study, paths.EXTERNAL, cell, name)}/{file}" for cell, name in _first(study, experiment)]


def _test_sets(study: Study, experiment: str) -> list[str]:
    return list(dict.fromkeys(name for _, name in study.experiments[experiment].external))


def indexes(study: Study, experiment: str) -> list[str]:
    """Return the index of every external test set."""
    return cell_inputs.of_datasets(study, paths.INDEX, _test_sets(study, experiment))


def image_settings(study: Study, experiment: str) -> dict[str, Any]:
    """Return the settings by which their images are read and drawn; of a drawn training or test set all is drawn."""
    settings = {name: experiments.image_settings_of(study, name) for name in _test_sets(study, experiment)}
    for cell, name in study.experiments[experiment].external:
        settings[name]["phantom"] |= lookups.is_drawn(study, cell.dataset)
    return settings


def _variants(study: Study, experiment: str) -> list[tuple[Variant, str]]:
    """Return every row without training that an experiment has on an external test set."""
    return [
        (variant, name)
        for name in study.experiments[experiment].tested_on
        for variant in experiments.variants(study, experiment)
        if variant.cell.dataset != name
    ]


def variant_values(study: Study, experiment: str) -> list[list[Any]]:
    """Return [variant, external test set] of those as plain values, for a parameter."""
    return [[list(variant), name] for variant, name in _variants(study, experiment)]


def variant_counts(study: Study, experiment: str) -> list[str]:
    """Return the counts of those."""
    return [
        experiments.counts_of(study, variant, paths.EXTERNAL, paths.ENSEMBLE_EXTERNAL, external=name)
        for variant, name in _variants(study, experiment)
    ]


@cache
def pairs(study: Study, experiment: str) -> list[list[Any]]:
    """Return [data set, external test set, seed] of every control row of an experiment."""
    external = study.experiments[experiment].external if study.evaluation.controls else []
    return [list(item) for item in dict.fromkeys((cell.dataset, name, cell.seed) for cell, name in external)]


def controls(study: Study, experiment: str) -> list[str]:
    """Return the counts of those."""
    folder = paths.results(study.study)
    return [
        str(paths.path(folder, paths.EXTERNAL_CONTROLS, dataset=dataset, external=name, seed=seed))
        for dataset, name, seed in pairs(study, experiment)
    ]


def experiment_checks(study: Study, experiment: str) -> list[str]:
    """Return the checks of an experiment's external test sets, once."""
    pairs = study.experiments[experiment].external
    return list(dict.fromkeys(path for cell, name in pairs for path in checks(study, cell, name)))


def experiment_settings(study: Study, experiment: str) -> dict[str, Any]:
    """Return the blocks of every data set that an experiment trains on or tests on, of which its tables speak."""
    chosen = study.experiments[experiment]
    names = dict.fromkeys([*chosen.datasets, *chosen.tested_on])
    return {name: study.dataset_settings(name, *SPOKEN_OF) for name in names}
