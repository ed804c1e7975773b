"""What a config asks of a plan: the parameter of rule plan. No pandas, since Snakemake asks for it at every start."""

from __future__ import annotations

from typing import Any

from segstudy.config import dependencies
from segstudy.config.auto_keys import AUTO, OF_RECIPE
from segstudy.config.study import Study, auto_of
from segstudy.study.dataset_size import CHANNELS, outputs_of

# Keys of a recipe that a plan heeds and never chooses; of `LATER` only where they differ from their defaults, so that
# plans made before are not made again.
WRITTEN, LATER = ("crops_per_epoch", "validate_every"), {"accumulate": 1, "precision": "auto"}


def plan_wishes(study: Study, dataset: str) -> dict[str, Any]:
    """Return what a config asks of the plan of a data set, as plain values: the parameter of rule plan.

    Recipes that differ share one plan: what is written in the first that leaves something to it counts.
    """
    options, keys = study.datasets[dataset], dependencies.planned_keys(study)[dataset]
    cells = [cell for cell in dependencies.trained_cells(study) if cell.dataset == dataset]
    recipes = [study.written_recipe(dataset, name) for name in dict.fromkeys(cell.recipe for cell in cells)]
    recipe = next((one for one in recipes if AUTO in (one[key] for key in OF_RECIPE)), recipes[0] if recipes else {})
    written = {key: recipe[key] for key in (*OF_RECIPE, *WRITTEN) if recipe.get(key, AUTO) != AUTO}
    written |= {key: recipe[key] for key, default in LATER.items() if recipe.get(key, default) != default}
    if written.get("precision") == "bf16" and any(one.get("precision") != "bf16" for one in recipes):
        del written["precision"]  # memory is counted for all: that of fp32 is the larger one
    if not options.auto:
        written["size"] = options.model_dump(mode="json", include={"size"})["size"]
    models = {}
    for name in dict.fromkeys(cell.model for cell in cells):
        kind, chosen = study.models[name]
        settings = {"network": kind, **chosen.model_dump(mode="json")}
        models[name] = {key: value for key, value in settings.items() if key not in auto_of(chosen)}
    return {
        "keys": keys,
        "written": written,
        "models": models,
        "limits": study.plan.model_dump(mode="json", exclude={"all"}),
        "split": options.split.model_dump(mode="json"),
        "reader": options.reader,
        "channels": CHANNELS[options.colour],
        "outputs": outputs_of(options),
    }
