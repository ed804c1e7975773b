"""The study: validated config, experiments, and the cells they ask for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, InstanceOf, PrivateAttr

from segstudy.config import chains
from segstudy.config.base import Name, Options
from segstudy.config.cells import Cell
from segstudy.config.datasets import READERS, DatasetConfig
from segstudy.config.evaluation import CONTROLS, Evaluation, check_ensemble
from segstudy.config.experiments import Experiment
from segstudy.config.library_networks import EncoderUNetOptions, is_library
from segstudy.config.limits import check_crops, check_limits
from segstudy.config.loss_classes import check_classes
from segstudy.config.losses import LOSSES
from segstudy.config.messages import BLOCK, COMMAND_LINE, SHOWN, Key, place, validated
from segstudy.config.networks import LIBRARY, REGISTERED, block
from segstudy.config.recipes import Recipe
from segstudy.config.validation_images import check_validation
from segstudy.config.yaml_files import read_yaml
from segstudy.errors import StudyError, nearest


class Choice(NamedTuple):
    """A named network or loss with its options."""

    kind: str
    options: Options


class Study(Options):
    """A whole config, validated."""

    study: Name
    data_root: str = "data"
    datasets: dict[Name, DatasetConfig] = Field(min_length=1)
    models: dict[Name, InstanceOf[Choice]] = Field(min_length=1)
    losses: dict[Name, InstanceOf[Choice]] = Field(min_length=1)
    recipes: dict[Name, Recipe] = Field(min_length=1)
    evaluation: Evaluation = Evaluation()
    experiments: dict[Name, Experiment] = Field(min_length=1)
    # Recipes as written, and as `recipe` resolves them: planning a study asks for them twenty times for each cell.
    _resolved: dict[tuple[str, str], tuple[Recipe, Recipe]] = PrivateAttr(default_factory=dict)

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell of the study, once."""
        return list(dict.fromkeys(cell for e in self.experiments.values() for cell in e.cells))

    @cached_property
    def ancestors(self) -> list[Cell]:
        """Cells of no experiment that others start from or learn from, once."""
        return chains.ancestors(self, self.cells)

    @cached_property
    def used_datasets(self) -> list[str]:
        """Every data set that some cell trains on, once; those whose labels are not read come last."""
        cells = [*self.cells, *self.ancestors]
        unlabelled = [name for cell in cells if (name := chains.unlabelled_of(self, cell))]
        return list(dict.fromkeys([*(cell.dataset for cell in cells), *unlabelled]))

    def sources(self, cell: Cell) -> dict[str, Cell]:
        """The cells that a cell needs, by their role: `start`, `teacher`."""
        return chains.sources(self, cell)

    def root(self, dataset: str) -> Path:
        """Folder of the raw data; relative roots lie below `data_root`. `~` and `$VARIABLES` are expanded."""
        above, below = (Path(os.path.expandvars(p)).expanduser() for p in (self.data_root, self.datasets[dataset].root))
        return above / below

    def dataset_settings(self, dataset: str, *blocks: str) -> dict[str, Any]:
        """Return the named blocks of a data set's config, resolved, as plain values."""
        return self.datasets[dataset].model_dump(mode="json", include=set(blocks))

    def measures(self, dataset: str) -> list[str]:
        """Return what is measured of a data set beside counts of pixels."""
        return list(self.evaluation.measures_of_several if self.datasets[dataset].several else self.evaluation.measures)

    def model_settings(self, model: str) -> dict[str, Any]:
        """A network's kind and options, resolved, as plain values."""
        network = self.models[model]
        return {"network": network.kind, **network.options.model_dump(mode="json")}

    def encoder(self, model: str) -> str | None:
        """Return the encoder whose weights a network starts from; None where it starts from chance alone."""
        options = self.models[model].options
        return options.encoder if isinstance(options, EncoderUNetOptions) and options.weights != "none" else None

    def recipe(self, dataset: str, recipe: str) -> Recipe:
        """The recipe as this data set is trained with it: the data set's `training` block wins."""
        as_written = self.recipes[recipe]
        known = self._resolved.get((dataset, recipe))
        if known is None or known[0] is not as_written:  # a copy of a study has other recipes of the same names
            settings = as_written.model_dump(mode="json")
            _update(settings, self.datasets[dataset].training)
            known = as_written, validated(Recipe, settings, ("datasets", dataset, "training"), ())
            self._resolved[dataset, recipe] = known
        return known[1]

    def training_settings(self, dataset: str, model: str, loss: str, recipe: str) -> dict[str, Any]:
        """Everything in the config that a training depends on beside its data, as plain values."""
        objective = self.losses[loss]
        return {
            "model": self.model_settings(model),
            "loss": {"loss": objective.kind, **objective.options.model_dump(mode="json")},
            "recipe": self.recipe(dataset, recipe).model_dump(mode="json"),
        }


def load_study(
    config: Mapping[str, Any], files: Sequence[str | Path] = (), command_line: Mapping[str, Any] | None = None
) -> Study:
    """Validate a merged config and return the study.

    `config` is what Snakemake merged from `files` and the command line (`--config`, whose values are `command_line`).
    Data sets, models, losses and recipes of all files add up; the experiments are those of the last file that has any:
    a study asks its own questions.

    Raises:
        StudyError: naming file, line and key of every problem.
    """
    token = COMMAND_LINE.set(command_line or {})
    try:
        return _loaded(config, [Path(file) for file in files])
    finally:
        COMMAND_LINE.reset(token)


def _loaded(config: Mapping[str, Any], paths: list[Path]) -> Study:
    blocks = dict(config) | {"experiments": _own_experiments(config, [read_yaml(path) for path in paths])}
    for section, key, registry in (("models", "network", REGISTERED), ("losses", "loss", LOSSES)):
        entries = _mapping(blocks.get(section), (section,), paths)
        blocks[section] = {name: _choice(name, entry, section, key, registry, paths) for name, entry in entries.items()}
    blocks["datasets"] = {
        name: {"reader": name, **_dataset(name, entry, paths)}
        for name, entry in _mapping(blocks.get("datasets"), ("datasets",), paths).items()
    }
    study = chains.with_rounds(validated(Study, blocks, (), paths))
    _check_references(study, paths)
    study = chains.with_shares(study)
    check_limits(study, paths)
    chains.check_chains(study, paths)
    check_validation(study, paths)
    for dataset, recipe in dict.fromkeys((cell.dataset, cell.recipe) for cell in [*study.cells, *study.ancestors]):
        study.recipe(dataset, recipe)  # each may be right alone and not together
    check_crops(study, paths)
    return study


def read_config(*files: str | Path) -> dict[str, Any]:
    """Merge config files the way Snakemake does, later files winning; for use without Snakemake.

    Raises:
        StudyError: a file is missing, is no YAML, or holds something other than blocks.
    """
    merged: dict[str, Any] = {}
    for file in files:
        _update(merged, read_yaml(Path(file)))
    return merged


def merged(config: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with what another one says laid over it."""
    found = dict(config)
    _update(found, other)
    return found


def _update(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _update(target[key], value)
        else:
            target[key] = dict(value) if isinstance(value, Mapping) else value


def _own_experiments(config: Mapping[str, Any], contents: Sequence[Mapping[str, Any]]) -> Any:
    experiments = config.get("experiments", {})
    for content in reversed(contents):
        own = content.get("experiments")
        if isinstance(own, Mapping) and own and isinstance(experiments, Mapping):
            return {name: experiments.get(name) for name in own}
    return experiments


def _mapping(block: Any, key: Key, files: Sequence[Path]) -> dict[str, Any]:
    if block is None:
        return {}
    if not isinstance(block, Mapping):
        name = ".".join(map(str, key))
        raise StudyError(f"'{name}' {BLOCK}, found {SHOWN.repr(block)}", where=place(key, files))
    return dict(block)


def _dataset(name: str, entry: Any, files: Sequence[Path]) -> dict[str, Any]:
    if entry is None and name not in READERS:
        raise StudyError(f"'datasets.{name}' {BLOCK}, found nothing", where=place(("datasets", name), files))
    return _mapping(entry, ("datasets", name), files)


def _choice(name: str, entry: Any, section: str, key: str, registry: Mapping[str, Any], files: list[Path]) -> Choice:
    """Return a network or loss with its options; the kind defaults to the entry's own name."""
    entry = _mapping(entry, (section, name), files)
    kind = entry.pop(key, name)
    if not isinstance(kind, str):
        raise StudyError(
            f"{section}.{name}.{key}: this must be the name of a {key}, found {SHOWN.repr(kind)}",
            where=place((section, name, key), files),
            allowed=", ".join(registry),
        )
    if section == "models" and is_library(kind):
        return Choice(kind, validated(LIBRARY[0], block(kind, entry), (section, name), files))
    if kind not in registry:
        raise StudyError(
            f"{section}.{name}: no {key} is called '{kind}'.{nearest(kind, registry)}",
            where=place((section, name, key), files),
            allowed=", ".join(registry),
            remedy=f"name one of these, either as the entry's name or by '{key}: ...' inside it"
            + ("; or a class of an installed library as module:class" if section == "models" else ""),
        )
    options = registry[kind][0] if isinstance(registry[kind], tuple) else registry[kind]
    return Choice(kind, validated(options, entry, (section, name), files))


def _check_references(study: Study, files: list[Path]) -> None:
    for name, experiment in study.experiments.items():
        for section in ("datasets", "models", "losses", "recipes"):
            known = getattr(study, section)
            for item in getattr(experiment, section):
                if item not in known:
                    raise StudyError(
                        f"experiments.{name}.{section} names '{item}', which nothing defines.{nearest(item, known)}",
                        where=place(("experiments", name, section), files),
                        allowed=", ".join(known),
                        remedy=f"define it under '{section}:' or use one of these names",
                    )
        for dataset in experiment.datasets:
            split, last = study.datasets[dataset].split, max(experiment.seeds)
            if split.repeat == "kfold" and last >= split.folds:
                raise StudyError(
                    f"experiments.{name}.seeds asks for fold {last} of {dataset}",
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


__all__ = ["CONTROLS", "Cell", "Choice", "Experiment", "Study", "load_study", "read_config"]
