"""Checks across the blocks of a config.

Names that are not defined, choices by validation images where there are none, and cells that cannot build on others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from segstudy.config.dependencies import DENOISING_LOSSES, planned_keys, trained_cells
from segstudy.config.evaluation import check_ensemble
from segstudy.config.losses import check_classes
from segstudy.config.plan_file import read_plan
from segstudy.config.recipes import Recipe
from segstudy.config.semi_supervised import Source
from segstudy.config.study import Study
from segstudy.config.validation_errors import place, validated
from segstudy.core.errors import StudyError, nearest

TUNED = ("validation", "otsu")  # policies whose threshold comes from validation images


def check_validation(study: Study, files: Sequence[Path]) -> None:
    """Check that nothing is chosen on validation images where there are none.

    Raises:
        StudyError: a threshold policy, or a recipe that stops early by the validation loss, needs them.
    """
    measured = {cell.dataset for cell in study.cells}
    # Denoising recipes make a validation part of their own.
    trained = [cell for cell in trained_cells(study) if not study.recipes[cell.recipe].denoising]
    for dataset in dict.fromkeys(cell.dataset for cell in trained):
        if study.datasets[dataset].split.validation:
            continue
        where = f"datasets.{dataset}.split.validation is 0"
        needed = [policy for policy in study.evaluation.policies if policy in TUNED]
        if needed and dataset in measured and not study.datasets[dataset].several:
            raise StudyError(
                f"evaluation.policies has '{needed[0]}', which needs validation images, but {where}",
                where=place(("evaluation", "policies"), files),
                allowed="fixed, training (the threshold with the best Dice on the training images)",
                remedy=f"use these in evaluation.policies and as its headline, or give {dataset} validation images",
            )
        for recipe in dict.fromkeys(cell.recipe for cell in trained if cell.dataset == dataset):
            if study.recipe(dataset, recipe).early_stopping.patience is not None:
                raise StudyError(
                    f"recipe '{recipe}' stops early by the validation loss, but {where}",
                    where=place(("recipes", recipe, "early_stopping", "patience"), files),
                    remedy=f"remove early_stopping.patience (for {dataset} alone: null under its 'training:'), or give "
                    "it validation images",
                )


def check_plans(study: Study, files: Sequence[Path]) -> None:
    """Check the plans that are kept with the study: each is there, holds values, and something is left to it.

    Raises:
        StudyError: naming the key, or the line of the plan.
    """
    for name, options in study.datasets.items():
        if options.plan is None:
            continue
        where = place(("datasets", name, "plan"), files)
        if not Path(options.plan).is_file():
            raise StudyError(
                f"the plan of data set {name} is not there: {options.plan}",
                where=where,
                remedy=f"check the path, which is relative to the current folder; or leave it out: {name} is planned "
                "when the study runs",
            )
        if not planned_keys(study)[name]:
            raise StudyError(
                f"nothing of data set {name} is left to its plan",
                where=where,
                remedy="write auto for what the plan is to choose, or plan: auto at the top of the study",
            )
        read_plan(Path(options.plan))


def check_references(study: Study, files: list[Path]) -> None:
    """Check that experiments name data sets, models, losses and recipes that are defined, and that these fit together.

    Raises:
        StudyError: naming the key.
    """
    for name, experiment in study.experiments.items():
        for section in ("datasets", "models", "losses", "recipes"):
            defined = getattr(study, section)
            for item in getattr(experiment, section):
                if item not in defined:
                    raise StudyError(
                        f"experiments.{name}.{section} names '{item}', which is not defined.{nearest(item, defined)}",
                        where=place(("experiments", name, section), files),
                        allowed=", ".join(defined),
                        remedy=f"define it under '{section}:' or use one of these names",
                    )
        for dataset in experiment.datasets:
            split, last_seed = study.datasets[dataset].split, max(experiment.seeds)
            if split.repeat == "kfold" and last_seed >= split.folds:
                raise StudyError(
                    f"experiments.{name}.seeds asks for fold {last_seed} of {dataset}",
                    where=place(("experiments", name, "seeds"), files),
                    allowed=f"0 to {split.folds - 1}, since datasets.{dataset}.split.folds is {split.folds}",
                )
            if study.evaluation.ensemble and len(experiment.seeds) > 1:
                check_ensemble(dataset, study.datasets[dataset], place(("evaluation", "ensemble"), files))
            for item in experiment.losses:
                loss, several = study.losses[item], study.datasets[dataset].several
                options = loss.options.model_dump(mode="json")
                check_classes(loss.kind, options, several, place(("experiments", name, "losses"), files), dataset)
    for dataset, entry in study.datasets.items():
        validated(Recipe, entry.training, ("datasets", dataset, "training"), files)


def check_chains(study: Study, files: Sequence[Path]) -> None:
    """Check that names in recipes are defined, and that the cells they build on can be trained.

    Raises:
        StudyError: naming the key.
    """
    for name, recipe in study.recipes.items():
        for key, section, item in _references(recipe):
            defined = getattr(study, section)
            if item not in defined:
                raise StudyError(
                    f"recipes.{name}.{'.'.join(key)} names '{item}', which is not defined.{nearest(item, defined)}",
                    where=place(("recipes", name, *key), files),
                    allowed=", ".join(defined),
                    remedy=f"define it under '{section}:' or use one of these names",
                )
        if recipe.pseudo_labels and study.recipes[recipe.pseudo_labels.teacher.recipe].denoising:
            raise StudyError(
                f"the teacher of recipe '{name}' is a denoising recipe, which predicts no masks",
                where=place(("recipes", name, "pseudo_labels", "teacher"), files),
                remedy="name a recipe that segments; it may start_from the denoising one",
            )
    for name, experiment in study.experiments.items():
        for item in experiment.recipes:
            if study.recipes[item].denoising:
                raise StudyError(
                    f"experiments.{name}.recipes names '{item}', a denoising recipe, which predicts no masks",
                    where=place(("experiments", name, "recipes"), files),
                    remedy=f"name a recipe with 'start_from: {{recipe: {item}}}' instead; it is then trained as well",
                )
    for cell in trained_cells(study):
        denoising, kind = study.recipes[cell.recipe].denoising, study.losses[cell.loss].kind
        if denoising and kind not in DENOISING_LOSSES:
            raise StudyError(
                f"recipe '{cell.recipe}' is for denoising, which loss '{cell.loss}' ({kind}) does not support",
                where=place(("recipes", cell.recipe, "denoising"), files),
                allowed=f"a loss of the kind {' or '.join(DENOISING_LOSSES)}",
                remedy="define one ('losses: {mse: {}}'), or name one as the 'loss' of start_from",
            )
        if study.recipe(cell.dataset, cell.recipe).pseudo_labels and study.datasets[cell.dataset].several:
            raise StudyError(
                f"recipe '{cell.recipe}' uses pseudo-labels, which have one foreground class, but "
                f"{cell.dataset} has several",
                where=place(("recipes", cell.recipe, "pseudo_labels"), files),
            )


def _references(recipe: Recipe) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield key, section and name of everything that a recipe refers to."""
    named: dict[tuple[str, ...], Source | None] = {("start_from",): recipe.start_from}
    if recipe.pseudo_labels:
        named[("pseudo_labels", "teacher")] = recipe.pseudo_labels.teacher
        yield ("pseudo_labels", "unlabelled"), "datasets", recipe.pseudo_labels.unlabelled
    if recipe.consistency:
        yield ("consistency", "unlabelled"), "datasets", recipe.consistency.unlabelled
    for key, source in named.items():
        for part, section in (("recipe", "recipes"), ("dataset", "datasets"), ("model", "models"), ("loss", "losses")):
            item = getattr(source, part) if source else None
            if item:
                yield (*key, part), section, item
