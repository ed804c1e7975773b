"""What rules look up in the config: the settings, raw files and code that a job depends on.

Snakemake runs a job again when one of these values changes, so each holds what the job needs and nothing else. They
are asked for every job of a plan: what takes long is remembered.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from segstudy.config import dependencies, paths
from segstudy.config.losses import loss_modules
from segstudy.config.plan_file import DatasetPlan
from segstudy.config.study import Study
from segstudy.runtime import fingerprint
from segstudy.runtime.raw_folder import raw_content, raw_folder

# Keys of a recipe that shape the samples of a training.
SAMPLE_KEYS = {"batch_size", "crop", "augmentation", "balance", "crops_per_image", "crops_per_epoch"}


def root(study: Study, dataset: str) -> str:
    """Return the folder of the images and masks of a data set: raw, drawn, or converted from annotations."""
    if is_converted(study, dataset):
        return str(paths.path(paths.results(study.study), paths.CONVERTED, dataset=dataset))
    return raw_root(study, dataset)


def raw_root(study: Study, dataset: str) -> str:
    """Return the folder of the raw or drawn files of a data set."""
    return paths.phantom(study.study, dataset) if is_drawn(study, dataset) else str(study.root(dataset))


def is_converted(study: Study, dataset: str) -> bool:
    """Return whether a data set comes as annotations that are converted first, or its masks are joined."""
    return study.datasets[dataset].converted


def converted(study: Study) -> list[str]:
    """Return the data sets of the config that are converted first."""
    return [name for name in study.datasets if is_converted(study, name)]


def is_drawn(study: Study, dataset: str) -> bool:
    """Return whether a data set is drawn by segstudy."""
    return study.datasets[dataset].phantom is not None


def drawn(study: Study) -> list[str]:
    """Return the data sets of the config that are drawn."""
    return [name for name in study.datasets if is_drawn(study, name)]


def manifest(study: Study, dataset: str) -> str | list[str]:
    """Return the list of what was drawn or converted; nothing for a data set whose files are read where they lie."""
    if is_converted(study, dataset):
        return f"{root(study, dataset)}/{paths.CONVERTED_MANIFEST}"
    return drawn_manifest(study, dataset)


def drawn_manifest(study: Study, dataset: str) -> str | list[str]:
    """Return the list of what was drawn; nothing for a data set of real images."""
    return f"{raw_root(study, dataset)}/{paths.PHANTOM_MANIFEST}" if is_drawn(study, dataset) else []


def truth(study: Study, dataset: str) -> str:
    """Return which mask counts where several annotators have drawn."""
    return study.datasets[dataset].truth


def labels_to_join(study: Study, dataset: str) -> dict[str, Any]:
    """Return `labels` where masks are joined; nothing where none is read before the index."""
    return labels(study, dataset) if truth(study, dataset) != "first" else {}


@cache
def raw_files(study: Study, dataset: str) -> str:
    """Return a hash that changes when a raw file that the reader uses is added, removed or replaced.

    Of files that are drawn, or converted first, it changes with the name, size and time of any.
    """
    options, folder = study.datasets[dataset], Path(raw_root(study, dataset))
    if options.phantom:
        return raw_folder(folder, f"{options.reader} {options.phantom.model_dump_json()}")
    if is_converted(study, dataset):
        return raw_folder(folder)

    def read(known: Mapping[str, Any]) -> tuple[str, Any]:
        from segstudy.data.raw_content import content_hash

        return content_hash(options.reader, folder, options.layout, known)

    names = [str(folder.absolute()), options.reader, options.layout.model_dump_json()]
    memory = paths.RAW / f"{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:32]}.json"
    return raw_content(folder, memory, code(study, "index", {"dataset": dataset}), read)


def reader(study: Study, dataset: str) -> str:
    """Return the name of a data set's reader."""
    return study.datasets[dataset].reader


@cache
def labels(study: Study, dataset: str) -> dict[str, Any]:
    """Return the settings by which masks are read: the arguments of `segstudy.data.readers.registry.labels_of`."""
    return study.label_settings(dataset)


def images(study: Study, dataset: str) -> dict[str, Any]:
    """Return how images and masks of a data set are read: `reader`, `root` and `labels`."""
    return {"reader": reader(study, dataset), "root": root(study, dataset), "labels": labels(study, dataset)}


def block(study: Study, dataset: str, name: str) -> Any:
    """Return one block of a data set's config."""
    return blocks(study, dataset, name)[name]


def blocks(study: Study, dataset: str, *names: str) -> dict[str, Any]:
    """Return several blocks of a data set's config, by name.

    Raises:
        PlanMissing: the size is among them and left to a plan that is not there yet.
    """
    return _blocks(study, _plan(study, dataset), dataset, *names)


@cache
def _blocks(study: Study, plan: DatasetPlan | None, dataset: str, *names: str) -> dict[str, Any]:
    return study.dataset_settings(dataset, *names)


def planned(study: Study) -> list[str]:
    """Return the data sets that leave something to a plan."""
    return [name for name in study.datasets if dependencies.planned_keys(study)[name]]


def given_plan(study: Study, dataset: str) -> str | list[str]:
    """Return the plan of a data set that is kept with the study; nothing where there is none."""
    return study.datasets[dataset].plan or []


def plan(study: Study, dataset: str) -> str | list[str]:
    """Return the plan of a data set; nothing where the config leaves nothing to one."""
    return str(study.plan_path(dataset)) if dependencies.planned_keys(study)[dataset] else []


def measures(study: Study, dataset: str) -> list[Any]:
    """Return the measures of a data set beside counts of pixels, and the tolerance of the surface Dice in pixels."""
    return [study.measures(dataset), study.evaluation.tolerance]


def training(study: Study, dataset: str, model: str, loss: str, recipe: str) -> dict[str, Any]:
    """Return all config that a training depends on beside its data.

    Raises:
        PlanMissing: some of it is left to a plan that is not there yet.
    """
    return _training(study, _plan(study, dataset), dataset, model, loss, recipe)


@cache
def _training(study: Study, plan: DatasetPlan | None, *names: str) -> dict[str, Any]:
    return study.training_settings(*names)


def _plan(study: Study, dataset: str) -> DatasetPlan | None:
    return study.plan_of(dataset) if dependencies.planned_keys(study)[dataset] else None


def network(study: Study, dataset: str, model: str) -> dict[str, Any]:
    """Return kind and options of a network on a data set.

    Raises:
        PlanMissing: some are left to a plan that is not there yet.
    """
    return study.model_settings(model, dataset)


def networks(study: Study, dataset: str) -> dict[str, dict[str, Any]]:
    """Return kind and options of every network that is trained on a data set.

    Raises:
        PlanMissing: some are left to a plan that is not there yet.
    """
    cells = dependencies.trained_cells(study)
    return {
        model: network(study, dataset, model) for model in dict.fromkeys(c.model for c in cells if c.dataset == dataset)
    }


def samples(study: Study, dataset: str, recipe: str) -> dict[str, Any]:
    """Return the settings of a recipe that shape the training samples of a data set.

    Raises:
        PlanMissing: some are left to a plan that is not there yet.
    """
    return study.settled_recipe(dataset, recipe).model_dump(mode="json", include=SAMPLE_KEYS)


def index_if_needed(study: Study, dataset: str, recipe: str) -> str | list[str]:
    """Return the index of a data set where the recipe needs strata or groups.

    Other trainings do not have it as an input, so that a changed index does not redo them.
    """
    options = study.recipe(dataset, recipe)
    needed = options.balance != "none" or options.denoising or options.labels < 1
    return f"{paths.results(study.study)}/{paths.INDEX.format(dataset=dataset)}" if needed else []


def encoder(study: Study, model: str) -> str | list[str]:
    """Return the file of the weights that a network's encoder starts from; nothing where there are none."""
    name = study.encoder(model)
    return f"{paths.ENCODERS}/{name}.safetensors" if name else []


def prepared_encoder(name: str) -> str | list[str]:
    """Return the state dict that a person has put beside the place of the weights, for machines without internet."""
    pattern = re.compile(re.escape(name) + r"(-[0-9a-f]{8,64})?\.(pth|pt|bin)")
    given = [str(path) for path in sorted(paths.ENCODERS.glob("*")) if pattern.fullmatch(path.name)]
    return given[0] if given else []


def code(study: Study, rule: str, wildcards: Any) -> str:
    """Return the fingerprint of the code that a job runs, see `segstudy.runtime.fingerprint.script`.

    Args:
        study: whose data sets and networks are meant.
        rule: the name of the script.
        wildcards: of the job. They say whose reader counts (that of the data set, and of the external test set; else
            those of the experiment's, or of all that the study uses), whose network and whose loss.
    """
    model = wildcards.get("model")
    kind = study.models[model].kind if model else ""
    datasets = tuple(filter(None, map(wildcards.get, ("dataset", "external"))))
    readers = _readers(study, datasets, wildcards.get("experiment"))
    return fingerprint.script(rule, readers, kind, _loss_modules(study, wildcards.get("loss")))


@cache
def _loss_modules(study: Study, loss: str | None) -> tuple[str, ...]:
    return tuple(loss_modules(study.loss_settings(loss))) if loss else ()


@cache
def _readers(study: Study, datasets: tuple[str, ...], experiment: str | None) -> tuple[str, ...]:
    chosen = study.experiments.get(experiment or "")
    of_job = [*chosen.datasets, *chosen.tested_on] if chosen else dependencies.used_datasets(study)
    names = datasets or of_job
    return tuple(sorted({reader(study, name) for name in names}))
