"""The part of the config that the report needs, as plain values: the parameter of its rule."""

from __future__ import annotations

from typing import Any

from segstudy.config import dependencies
from segstudy.config.study import Study, auto_of


def settings_of(study: Study) -> dict[str, Any]:
    """Return the resolved config of everything that a study's experiments use, and the cells they ask for."""
    cells = dependencies.trained_cells(study)
    networks = dict.fromkeys((cell.dataset, cell.model) for cell in cells)
    losses = {name: study.losses[name] for name in dict.fromkeys(cell.loss for cell in cells)}
    recipes = dict.fromkeys((cell.dataset, cell.recipe) for cell in cells)
    return {
        "study": study.study,
        "experiments": {
            name: {
                "question": experiment.question,
                "labels": experiment.labels,
                "reference": [reference.model_dump(mode="json") for reference in experiment.reference],
                "cells": [list(cell) for cell in experiment.cells],
                **({"tested_on": experiment.tested_on} if experiment.tested_on else {}),
            }
            for name, experiment in study.experiments.items()
        },
        "ancestors": [list(cell) for cell in dependencies.ancestors(study)],
        "students": [
            {
                "cell": list(cell),
                "teacher": list(dependencies.sources(study, cell)["teacher"]),
                "unlabelled": dependencies.unlabelled_of(study, cell),
            }
            for cell in cells
            if "teacher" in dependencies.sources(study, cell)
        ],
        "denoisers": [list(cell) for cell in dependencies.ancestors(study) if study.recipes[cell.recipe].denoising],
        "chains": [
            list(cell)
            for cell in cells
            if dependencies.seen(study, cell) and not study.recipe(cell.dataset, cell.recipe).denoising
        ],
        "datasets": {
            name: {
                **study.dataset(name).model_dump(mode="json", exclude={"root", "max_megapixels"}),
                "several": study.datasets[name].several,
            }
            for name in dependencies.used_datasets(study)
        },
        "models": {
            # What a plan shapes has other settings on every data set.
            f"{model} on {dataset}" if auto_of(study.models[model].options) else model: study.model_settings(
                model, dataset
            )
            for dataset, model in networks
        },
        "losses": {name: {"loss": loss.kind, **loss.options.model_dump(mode="json")} for name, loss in losses.items()},
        "recipes": {
            f"{recipe} on {dataset}": study.settled_recipe(dataset, recipe).model_dump(mode="json")
            for dataset, recipe in recipes
        },
        "evaluation": study.evaluation.model_dump(mode="json"),
    }
