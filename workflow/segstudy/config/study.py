"""The study: validated config, experiments, and the cells they ask for."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, InstanceOf, PrivateAttr

from segstudy.config.base import Name, Options, _update
from segstudy.config.cell import Cell
from segstudy.config.datasets import DatasetConfig
from segstudy.config.evaluation import CONTROLS, Evaluation
from segstudy.config.experiments import Experiment
from segstudy.config.library_networks import EncoderUNetOptions
from segstudy.config.recipes import Recipe
from segstudy.config.validation_errors import validated


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
    __hash__ = object.__hash__  # what is derived from a study is remembered for the study itself
    # Recipes as written, and as `recipe` resolves them: planning a study asks for them twenty times for each cell.
    _resolved: dict[tuple[str, str], tuple[Recipe, Recipe]] = PrivateAttr(default_factory=dict)

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell of the study, once."""
        return list(dict.fromkeys(cell for e in self.experiments.values() for cell in e.cells))

    def root(self, dataset: str) -> Path:
        """Folder of the raw data; relative roots lie below `data_root`. `~` and `$VARIABLES` are expanded."""
        above, below = (Path(os.path.expandvars(p)).expanduser() for p in (self.data_root, self.datasets[dataset].root))
        return above / below

    def dataset_settings(self, dataset: str, *blocks: str) -> dict[str, Any]:
        """Return the named blocks of a data set's config, resolved, as plain values."""
        return self.datasets[dataset].model_dump(mode="json", include=set(blocks))

    def label_settings(self, dataset: str) -> dict[str, Any]:
        """Return how the masks of a data set are read: the arguments of `data.readers.registry.labels_of`."""
        options = self.datasets[dataset]
        strays = any(exception.kind == "unknown_label" for exception in options.exceptions)
        keys = ("classes", "inverted", "above_zero", "ignore", "orientation")
        return self.dataset_settings(dataset, *keys) | {"strays": strays}

    def measures(self, dataset: str) -> list[str]:
        """Return what is measured of a data set beside counts of pixels."""
        return list(self.evaluation.measures_of_several if self.datasets[dataset].several else self.evaluation.measures)

    def model_settings(self, model: str) -> dict[str, Any]:
        """A network's kind and options, resolved, as plain values."""
        network = self.models[model]
        return {"network": network.kind, **network.options.model_dump(mode="json")}

    def loss_settings(self, loss: str) -> dict[str, Any]:
        """Return kind and options of a loss, as plain values."""
        objective = self.losses[loss]
        return {"loss": objective.kind, **objective.options.model_dump(mode="json")}

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
        return {
            "model": self.model_settings(model),
            "loss": self.loss_settings(loss),
            "recipe": self.recipe(dataset, recipe).model_dump(mode="json"),
        }


__all__ = ["CONTROLS", "Cell", "Choice", "Experiment", "Study"]
