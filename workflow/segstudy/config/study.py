"""The study: validated config, experiments, and the cells they ask for."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, InstanceOf, PrivateAttr

from segstudy.config import paths
from segstudy.config.auto_keys import AUTO, PlanLimits, Plannable
from segstudy.config.base import Name, Options, _update
from segstudy.config.cell import Cell
from segstudy.config.datasets import DatasetConfig
from segstudy.config.evaluation import CONTROLS, Evaluation
from segstudy.config.experiments import Experiment
from segstudy.config.library_networks import EncoderUNetOptions
from segstudy.config.plan_file import DatasetPlan, PlanMissing, read_plan
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
    plan: PlanLimits = PlanLimits()
    __hash__ = object.__hash__  # what is derived from a study is remembered for the study itself
    # Recipes as written, for a data set, and by which plan: planning a study asks for them twenty times for each cell.
    _resolved: dict[tuple[str, str], tuple[Recipe, Recipe, DatasetPlan | None, Recipe]] = PrivateAttr(
        default_factory=dict
    )
    _plans: dict[str, tuple[int, DatasetPlan]] = PrivateAttr(default_factory=dict)  # with the time of its file
    _assumed: dict[str, DatasetPlan] = PrivateAttr(default_factory=dict)

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell of the study, once."""
        return list(dict.fromkeys(cell for e in self.experiments.values() for cell in e.cells))

    def root(self, dataset: str) -> Path:
        """Folder of the raw data; relative roots lie below `data_root`. `~` and `$VARIABLES` are expanded."""
        above, below = (Path(os.path.expandvars(p)).expanduser() for p in (self.data_root, self.datasets[dataset].root))
        return above / below

    def plan_of(self, dataset: str) -> DatasetPlan | None:
        """Return the plan of a data set as its file says it now; None where there is none.

        Jobs make plans while a run goes on: the file is looked at each time, and read when it has changed.
        """
        path = self.plan_path(dataset)
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return self._assumed.get(dataset)
        if self._plans.get(dataset, (0,))[0] != changed:
            self._plans[dataset] = changed, read_plan(path)
        return self._plans[dataset][1]

    def assume(self, dataset: str, plan: DatasetPlan) -> None:
        """Let a plan hold as long as no job has made one: for estimates of what is not planned yet."""
        self._assumed[dataset] = plan

    def plan_path(self, dataset: str) -> Path:
        """Return where the plan of a data set lies."""
        return paths.path(paths.results(self.study), paths.PLAN, dataset=dataset)

    def _needed_plan(self, dataset: str) -> DatasetPlan:
        plan = self.plan_of(dataset)
        if plan is None:
            raise PlanMissing(self.plan_path(dataset), dataset)
        return plan

    def dataset(self, dataset: str) -> DatasetConfig:
        """Return the config of a data set with the size of its plan, where it leaves that to one.

        Raises:
            PlanMissing: it does, and there is none yet.
        """
        options = self.datasets[dataset]
        if not options.auto:
            return options
        size = self._needed_plan(dataset).size()
        return options.model_copy(update={"size": DatasetConfig(reader=options.reader, size=size).size})

    def dataset_settings(self, dataset: str, *blocks: str) -> dict[str, Any]:
        """Return the named blocks of a data set's config, resolved, as plain values.

        Raises:
            PlanMissing: its size is among them and left to a plan that is not there yet.
        """
        options = self.dataset(dataset) if "size" in blocks else self.datasets[dataset]
        return options.model_dump(mode="json", include=set(blocks))

    def label_settings(self, dataset: str) -> dict[str, Any]:
        """Return how the masks of a data set are read: the arguments of `data.readers.registry.labels_of`."""
        options = self.datasets[dataset]
        strays = any(exception.kind == "unknown_label" for exception in options.exceptions)
        keys = ("classes", "inverted", "above_zero", "ignore", "orientation")
        return self.dataset_settings(dataset, *keys) | {"strays": strays}

    def measures(self, dataset: str) -> list[str]:
        """Return what is measured of a data set beside counts of pixels."""
        return list(self.evaluation.measures_of_several if self.datasets[dataset].several else self.evaluation.measures)

    def model_settings(self, model: str, dataset: str = "") -> dict[str, Any]:
        """A network's kind and options, resolved, as plain values; on which data set counts where a plan shapes it.

        Raises:
            PlanMissing: some are left to a plan that is not there yet.
        """
        kind, options = self.models[model]
        settings = {"network": kind, **options.model_dump(mode="json")}
        if not (keys := auto_of(options)):
            return settings
        plan = self._needed_plan(dataset)
        planned = validated(type(options), options.model_dump() | plan.of_model(model, keys), (), [plan.path])
        return settings | planned.model_dump(mode="json")

    def loss_settings(self, loss: str) -> dict[str, Any]:
        """Return kind and options of a loss, as plain values."""
        objective = self.losses[loss]
        return {"loss": objective.kind, **objective.options.model_dump(mode="json")}

    def encoder(self, model: str) -> str | None:
        """Return the encoder whose weights a network starts from; None where it starts from chance alone."""
        options = self.models[model].options
        return options.encoder if isinstance(options, EncoderUNetOptions) and options.weights != "none" else None

    def recipe(self, dataset: str, recipe: str) -> Recipe:
        """The recipe as this data set is trained with it: the data set's `training` block wins.

        What is left to a plan is as the plan says; as long as there is none, it is among the recipe's `auto`.
        """
        as_written, known = self.recipes[recipe], self._resolved.get((dataset, recipe))
        if known is None or known[0] is not as_written:  # a copy of a study has other recipes of the same names
            settings = self.written_recipe(dataset, recipe)
            written = validated(Recipe, settings, ("datasets", dataset, "training"), ())
            known = as_written, written, None, written
        if known[1].auto and (plan := self.plan_of(dataset)) is not known[2]:
            settings = self.written_recipe(dataset, recipe) | (plan.of_recipe(known[1].auto) if plan else {})
            known = *known[:2], plan, validated(Recipe, settings, (), [plan.path] if plan else ())
        self._resolved[dataset, recipe] = known
        return known[3]

    def settled_recipe(self, dataset: str, recipe: str) -> Recipe:
        """The recipe of a data set with all its numbers.

        Raises:
            PlanMissing: some are left to a plan that is not there yet.
        """
        settled = self.recipe(dataset, recipe)
        if settled.auto:
            self._needed_plan(dataset)
        return settled

    def written_recipe(self, dataset: str, recipe: str) -> dict[str, Any]:
        """Return the keys of a recipe for a data set as plain values, `auto` for what is left to a plan."""
        as_written = self.recipes[recipe]
        settings = as_written.model_dump(mode="json") | dict.fromkeys(as_written.auto, AUTO)
        _update(settings, self.datasets[dataset].training)
        return settings

    def training_settings(self, dataset: str, model: str, loss: str, recipe: str) -> dict[str, Any]:
        """Everything in the config that a training depends on beside its data, as plain values.

        Raises:
            PlanMissing: some of it is left to a plan that is not there yet.
        """
        return {
            "model": self.model_settings(model, dataset),
            "loss": self.loss_settings(loss),
            "recipe": self.settled_recipe(dataset, recipe).model_dump(mode="json"),
        }


def auto_of(options: Options) -> frozenset[str]:
    """Return the keys of a network's options that are left to a plan."""
    return options.auto if isinstance(options, Plannable) else frozenset()


__all__ = ["CONTROLS", "Cell", "Choice", "Experiment", "Study"]
