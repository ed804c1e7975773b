"""The inputs and parameters of an experiment's tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from segstudy.config import dependencies, paths
from segstudy.config.cell import Cell
from segstudy.config.study import Study
from segstudy.study import cell_inputs, lookups
from segstudy.study.cell_inputs import in_results, of_cells, of_datasets
from segstudy.tables.captions import chain_words
from segstudy.tables.variants import Variant, variants_of

Cells = Callable[[Study, str], list[Cell]]  # of an experiment

CAPTION_BLOCKS = ("reader", "size", "split", "region", "phantom", "truth")


def cells(study: Study, experiment: str) -> list[Cell]:
    """Return the cells of an experiment, in the order of its tables."""
    return study.experiments[experiment].cells


def binary_cells(study: Study, experiment: str) -> list[Cell]:
    """Return those on data sets of one foreground class."""
    return [cell for cell in cells(study, experiment) if not study.datasets[cell.dataset].several]


def first_cells(study: Study, experiment: str) -> list[Cell]:
    """Return those of the first seed: one for every network, loss and recipe of a data set."""
    return first_of_rows(cells(study, experiment))


def first_of_rows(cells: Sequence[Cell]) -> list[Cell]:
    """Return of every network, loss and recipe of a data set the cell that comes first."""
    first = {cell._replace(seed=0): cell for cell in cells[::-1]}
    return list(first.values())[::-1]


def cell_files(study: Study, experiment: str, name: str, which: Cells = cells) -> list[str]:
    """Return a file of each cell of an experiment, or of `which` of them."""
    return of_cells(study, f"{paths.CELL}/{name}", which(study, experiment))


def cell_values(study: Study, experiment: str, which: Cells = cells) -> list[list[Any]]:
    """Return the same cells as plain values, for a parameter."""
    return [list(cell) for cell in which(study, experiment)]


@cache
def variants(study: Study, experiment: str) -> list[Variant]:
    """Return the rows that need no training, as the config asks for them: mirrored views, ensembles of seeds."""
    evaluation = study.evaluation
    return variants_of(cells(study, experiment), evaluation.tta == "flips", evaluation.ensemble)


def variant_values(study: Study, experiment: str) -> list[list[Any]]:
    """Return those rows as plain values."""
    return [list(variant) for variant in variants(study, experiment)]


def variant_counts(study: Study, experiment: str) -> list[str]:
    """Return the counts of those rows."""
    return [counts_of(study, variant, paths.CELL, paths.ENSEMBLE) for variant in variants(study, experiment)]


def counts_of(study: Study, variant: Variant, alone: str, together: str, **more: str) -> str:
    """Return the counts of a variant, by the patterns of a cell and of an ensemble; `more` fills other names in."""
    pattern = together if len(variant.seeds) > 1 else alone
    names = variant.cell._replace(recipe=variant.recipe)._asdict() | more
    folder = pattern.format(**names, seeds="-".join(map(str, variant.seeds)))
    views = f"/{paths.FLIPS}" if variant.flips else ""
    return f"{paths.results(study.study)}/{folder}{views}/counts.csv"


@cache
def pairs(study: Study, experiment: str) -> list[list[Any]]:
    """Return every [data set, seed] of an experiment, once."""
    return [list(pair) for pair in dict.fromkeys((cell.dataset, cell.seed) for cell in cells(study, experiment))]


def controls(study: Study, experiment: str) -> list[str]:
    """Return the counts of the control rows of every data set and seed."""
    folder = paths.results(study.study)
    return [str(paths.controls(folder, dataset, seed)) for dataset, seed in pairs(study, experiment)]


def checks(study: Study, experiment: str) -> list[str]:
    """Return the checks of the experiment's data sets and splits, and of what its cells build on."""
    chains = [
        in_results(study, paths.CHAIN_CHECK, cell) for cell in cells(study, experiment) if cell_inputs.seen(study, cell)
    ]
    return [*map(str, paths.checks(paths.results(study.study), pairs(study, experiment))), *chains]


def indexes(study: Study, experiment: str) -> list[str]:
    """Return the index of every data set."""
    return of_datasets(study, paths.INDEX, datasets(study, experiment))


def chains(study: Study, experiment: str) -> dict[str, str]:
    """Return the words of captions on the sources of the experiment's cells, by data set."""
    return chain_words(study, cells(study, experiment))


def plans(study: Study, experiment: str) -> list[str]:
    """Return the plans of those of its data sets that leave something to one."""
    names = [*datasets(study, experiment), *study.experiments[experiment].tested_on]
    return [str(study.plan_path(name)) for name in names if dependencies.planned_keys(study)[name]]


def question(study: Study, experiment: str) -> str:
    """Return the question that an experiment answers."""
    return study.experiments[experiment].question


def datasets(study: Study, experiment: str) -> list[str]:
    """Return the names of its data sets."""
    return study.experiments[experiment].datasets


def caption_settings(study: Study, experiment: str) -> dict[str, Any]:
    """Return the config that captions speak of, by data set."""
    return {name: lookups.blocks(study, name, *CAPTION_BLOCKS) for name in datasets(study, experiment)}


def image_settings(study: Study, experiment: str) -> dict[str, Any]:
    """Return the settings by which the images of its data sets are read and drawn."""
    return {name: image_settings_of(study, name) for name in datasets(study, experiment)}


def image_settings_of(study: Study, dataset: str) -> dict[str, Any]:
    """Return those of a data set."""
    more = {"region": study.datasets[dataset].region, "phantom": lookups.is_drawn(study, dataset)}
    return lookups.images(study, dataset) | more


def shares(study: Study, experiment: str) -> list[list[Any]]:
    """Return of each cell the recipe without its share of the labels, and that share."""
    return [list(dependencies.share_of(study, cell)) for cell in cells(study, experiment)]


def stopping_rules(study: Study, experiment: str) -> list[list[Any]]:
    """Return [data set, recipe, rule] of those that stop early by the fitted curve."""
    used = dict.fromkeys((cell.dataset, cell.recipe) for cell in cells(study, experiment))
    rules = [(*pair, study.recipe(*pair).early_stopping.curve) for pair in used]
    return [[*pair, rule.model_dump(mode="json")] for *pair, rule in rules if rule]


def regions(study: Study) -> dict[str, str]:
    """Return the region that each data set of the config is measured in: `roi` or `full`."""
    return {name: dataset.region for name, dataset in study.datasets.items()}
