"""The files of a finished study: the targets of rule `all` and of those asked for by name, the inputs of its report."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from segstudy.config import dependencies, paths
from segstudy.config.dependencies import trained_cells
from segstudy.config.readers import WITHOUT_STRATA
from segstudy.config.study import Study
from segstudy.runtime.fingerprint import PACKAGE
from segstudy.study import annotators
from segstudy.study.cell_inputs import of_cells, of_datasets, of_splits, seen, sources
from segstudy.study.experiments import binary_cells, first_of_rows, variants
from segstudy.study.lookups import is_drawn, root


def all_results(study: Study) -> list[str]:
    """Return the tables, figures, data cards and pictures of all experiments."""
    return [*tables(study), *figures(study), *cards(study, "md"), *pictures(study)]


def cards(study: Study, suffix: str = "html") -> list[str]:
    """Return the card of every data set that is used."""
    return of_datasets(study, f"{paths.DATA}/card.{suffix}", dependencies.used_datasets(study))


def plans(study: Study) -> list[str]:
    """Return the plan of every data set that leaves something to one."""
    return [
        str(study.plan_path(name))
        for name in dependencies.used_datasets(study)
        if dependencies.planned_keys(study)[name]
    ]


def pictures(study: Study) -> list[str]:
    """Return galleries, training samples, sketches of networks, denoised images and sheets of pseudo-labels.

    Galleries are those of each row's first seed; of other seeds they are drawn when asked for by their path.
    """
    folder = paths.results(study.study)
    networks = dict.fromkeys((cell.dataset, cell.model) for cell in study.cells)
    first_seeds = {(cell.dataset, cell.recipe): cell.seed for cell in study.cells[::-1]}
    ancestors = dependencies.ancestors(study)
    students = [cell for cell in trained_cells(study) if "teacher" in sources(study, cell)]
    denoisers = [cell for cell in ancestors if study.recipes[cell.recipe].denoising]
    return [
        *of_cells(study, paths.GALLERY, first_of_rows(study.cells)),
        *of_cells(study, paths.PSEUDO_SHEET, students),
        *of_cells(study, paths.DENOISING, denoisers),
        *(f"{folder}/{paths.SKETCH}.png".format(dataset=dataset, model=model) for dataset, model in networks),
        *(
            f"{folder}/{paths.SAMPLES}".format(dataset=dataset, recipe=recipe, seed=seed)
            for (dataset, recipe), seed in first_seeds.items()
        ),
        *(f"{folder}/{paths.BALANCE}.png".format(dataset=d, recipe=r, seed=s) for d, r, s in balanced(study)),
    ]


def balanced(study: Study) -> list[tuple[str, str, int]]:
    """Return data set, recipe and first seed of the trainings whose strata are balanced."""
    firsts = {(cell.dataset, cell.recipe): cell.seed for cell in study.cells[::-1]}
    pairs = dict.fromkeys((cell.dataset, cell.recipe) for cell in study.cells)
    return [(*pair, firsts[pair]) for pair in pairs if study.recipe(*pair).balance != "none"]


def balances(study: Study, dataset: str) -> list[dict[str, Any]]:
    """Return the balanced trainings of a data set, as `data.balancing.balance_counts` takes them."""
    recipes: dict[tuple[int, bool], list[str]] = {}
    for name, recipe, seed in balanced(study):
        if name == dataset:
            recipes.setdefault((seed, study.recipe(name, recipe).adds_copies), []).append(recipe)
    split = study.dataset_settings(dataset, "split")["split"]
    return [
        {"recipes": names, "adds_copies": copies, "seed": seed, "split": split}
        for (seed, copies), names in recipes.items()
    ]


def tables(study: Study, suffix: str = "html") -> list[str]:
    """Return the tables of all experiments, kind after kind."""
    names = list(study.experiments)
    kinds = {
        "": names,
        ".strata": [name for name in names if _has_strata(study, name)],
        ".thresholds": [name for name in names if _has_policies(study, name)],
        ".external": [name for name in names if study.experiments[name].external],
        ".robustness": names if study.evaluation.corruptions.levels else [],
        ".classes": [name for name in names if len(binary_cells(study, name)) < len(study.experiments[name].cells)],
        ".annotators": [name for name in names if annotators.datasets(study, name)],
        ".comparisons": [name for name in names if study.experiments[name].rows > 1 or variants(study, name)],
    }
    folder = paths.results(study.study)
    return [
        f"{folder}/{paths.TABLE}{kind}.{suffix}".format(experiment=name)
        for kind, selected in kinds.items()
        for name in selected
    ]


def figures(study: Study) -> list[str]:
    """Return the figures of all experiments."""
    names = list(study.experiments)
    kinds = {
        "failures": [name for name in names if binary_cells(study, name)],
        "threshold_curves": [
            name for name in names if _has_policies(study, name) and "scores" in study.evaluation.measures
        ],
        "matrix": [name for name in names if study.experiments[name].external],
        "external_strips": [name for name in names if study.experiments[name].external],
        "robustness": names if study.evaluation.corruptions.levels else [],
        "strips": [name for name, selected in study.experiments.items() if selected.rows > 1],
        "label_efficiency": [name for name, selected in study.experiments.items() if len(selected.labels) > 1],
    }
    of_all = [(name, kind) for name in names for kind in ("curves", "ablation", "ranking")]
    folder = paths.results(study.study)
    return [
        f"{folder}/{paths.FIGURE}/{kind}.png".format(experiment=name)
        for name, kind in [*of_all, *((name, kind) for kind, selected in kinds.items() for name in selected)]
    ]


def _has_policies(study: Study, experiment: str) -> bool:
    """Return whether the masks of an experiment depend on a threshold that was chosen in several ways."""
    return len(study.evaluation.compared_policies) > 1 and bool(binary_cells(study, experiment))


def _has_strata(study: Study, experiment: str) -> bool:
    """Return whether some data set of an experiment may have strata."""
    readers = {study.datasets[name].reader for name in study.experiments[experiment].datasets}
    return not readers <= set(WITHOUT_STRATA)


def splits(study: Study) -> list[str]:
    """Return the splits of all data sets that are trained on."""
    return of_splits(study, dict.fromkeys((cell.dataset, cell.seed) for cell in trained_cells(study)))


def stores(study: Study) -> list[str]:
    """Return the resized images of every data set that is trained on."""
    return of_datasets(study, paths.STORE, dependencies.learned_datasets(study))


def models(study: Study) -> list[str]:
    """Return the weights of every cell that is trained."""
    return of_cells(study, f"{paths.CELL}/model.safetensors", trained_cells(study))


def expanded(study: Study, names: Iterable[str]) -> set[str]:
    """Return the targets of a command line, a rule's name that stands for many jobs replaced by all of their files.

    Snakemake takes no rule with wildcards for a target; `--until train` and `-R train` still mean the rule.
    """
    of_rules = {"preprocess": stores, "train": models}
    return {path for name in names for path in (of_rules[name](study) if name in of_rules else [name])}


def checks(study: Study) -> list[str]:
    """Return the checks of all data sets and splits that are trained on, and of their networks."""
    splits = dict.fromkeys((cell.dataset, cell.seed) for cell in trained_cells(study))
    folder, datasets = paths.results(study.study), dict.fromkeys(dataset for dataset, _ in splits)
    networks = [paths.path(folder, paths.NETWORKS_CHECK, dataset=dataset) for dataset in datasets]
    return [str(path) for path in [*paths.checks(folder, list(splits)), *networks]]


def chain_checks(study: Study) -> list[str]:
    """Return the checks of all cells that build on others."""
    cells = [cell for cell in trained_cells(study) if seen(study, cell) and not study.recipes[cell.recipe].denoising]
    return of_cells(study, paths.CHAIN_CHECK, cells)


def cell_files(study: Study, *names: str) -> list[str]:
    """Return these files of every cell of the experiments."""
    return [path for name in names for path in of_cells(study, f"{paths.CELL}/{name}", study.cells)]


def ancestor_records(study: Study) -> list[str]:
    """Return the records of the cells that others build on."""
    return of_cells(study, f"{paths.CELL}/run.json", dependencies.ancestors(study))


def networks(study: Study, pattern: str) -> list[str]:
    """Return this file of every (data set, network), such as `paths.LAYERS` with its suffix."""
    folder = paths.results(study.study)
    pairs = dict.fromkeys((cell.dataset, cell.model) for cell in study.cells)
    return [f"{folder}/{pattern}".format(dataset=dataset, model=model) for dataset, model in pairs]


def first_pictures(study: Study) -> list[str]:
    """Return training samples, denoised images, sheets of pseudo-labels, and the gallery of each row's first seed."""
    sketches = set(networks(study, f"{paths.SKETCH}.png"))
    return [path for path in pictures(study) if path not in sketches]


def indexes(study: Study) -> list[str]:
    """Return the index of every data set that is used."""
    return of_datasets(study, paths.INDEX, dependencies.used_datasets(study))


def roots(study: Study) -> dict[str, str]:
    """Return the folder of the raw files of every data set that is used."""
    return {name: root(study, name) for name in dependencies.used_datasets(study)}


def drawn_experiments(study: Study) -> list[str]:
    """Return the experiments of which some data set is drawn."""
    return [
        name
        for name, experiment in study.experiments.items()
        if any(is_drawn(study, item) for item in (*experiment.datasets, *experiment.tested_on))
    ]


def templates() -> list[str]:
    """Return the files of the report that are no Python: the fingerprint of its code does not cover them."""
    return sorted(os.path.relpath(path) for path in (PACKAGE / "report/templates").iterdir())
