"""The plan of a data set: a file that says what a plan has chosen for the keys that say `auto`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from segstudy.config.auto_keys import AUTO, OF_RECIPE, SHAPE
from segstudy.config.base import Options
from segstudy.config.datasets import DatasetConfig
from segstudy.config.recipes import Recipe
from segstudy.config.validation_errors import validated
from segstudy.config.yaml_files import read_yaml
from segstudy.core.errors import StudyError

Values = dict[str, Any]  # key -> value; of `models`: network -> its depth and width


class PlanMissing(StudyError, FileNotFoundError):
    """A plan is asked for that no job has made yet.

    It is a FileNotFoundError with a `filename`, since that is how a rule's function tells Snakemake that its value is
    known once an input of the job is there.
    """

    def __init__(self, path: Path, dataset: str) -> None:
        super().__init__(
            f"data set {dataset} is not planned yet",
            where=path,
            remedy=f"make the plan, which takes a moment: segstudy run ... -- {path}",
        )
        self.filename = str(path)


class _PlannedOptions(Options):
    """What a plan file holds; the values are checked as those of the config are."""

    dataset: str = ""
    size: Any = None
    crop: Any = None
    crops_per_image: Any = None
    batch_size: Any = None
    epochs: Any = None
    models: dict[str, dict[str, Any]] = Field({})
    because: dict[str, str] = Field({})
    seen: dict[str, Any] = Field({})
    memory: dict[str, dict[str, float]] = Field({})
    computed: dict[str, Any] = Field({})


@dataclass(frozen=True, eq=False)
class DatasetPlan:
    """A plan as its file says it; every reading of a changed file is another one."""

    path: Path
    values: Values  # what holds
    because: dict[str, str]  # a sentence for each choice
    seen: dict[str, Any]  # sizes and limits that it was made for
    computed: Values  # what the planner had chosen
    # Network -> MB of its weights and of a megapixel (`resources.NetworkMemory`), on the device that `seen` names.
    memory: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def edited(self) -> list[str]:
        """Keys whose values are no longer those that the planner had chosen."""
        return [key for key, value in flat(self.values).items() if flat(self.computed).get(key, value) != value]

    def of_recipe(self, keys: frozenset[str]) -> Values:
        """Return the values of these keys of a recipe."""
        return {key: self._value(key, self.values) for key in OF_RECIPE if key in keys}

    def of_model(self, model: str, keys: frozenset[str]) -> Values:
        """Return the values of these keys of a network."""
        own = self.values.get("models", {}).get(model, {})
        return {key: self._value(key, own, f"models.{model}.") for key in SHAPE if key in keys}

    def memory_of(self, model: str, gpu: bool) -> dict[str, float] | None:
        """Return the counted memory of a network; None where it was not counted for this kind of device, or edited."""
        edited = any(key.startswith(f"models.{model}.") for key in self.edited)
        return None if edited or self.seen.get("gpu") != gpu else self.memory.get(model)

    def size(self) -> Any:
        """Return the size of the data set's canvas."""
        return self._value("size", self.values)

    def _value(self, key: str, values: Mapping[str, Any], prefix: str = "") -> Any:
        if key not in values:
            raise StudyError(
                f"the plan says nothing of {prefix}{key}, which the config leaves to it",
                where=self.path,
                remedy=f"write '{key}: ...' there, or delete the file and run the study again: it is planned anew",
            )
        return values[key]


def flat(values: Values) -> dict[str, Any]:
    """Return a plan's values with `models.<name>.<key>` for what it says of networks."""
    models = values.get("models", {})
    return {key: value for key, value in values.items() if key != "models"} | {
        f"models.{name}.{key}": value for name, own in models.items() for key, value in own.items()
    }


def read_plan(path: Path) -> DatasetPlan:
    """Read a plan file, whoever wrote it.

    Raises:
        StudyError: naming the line of a value that no config may have.
    """
    content = read_yaml(path)
    block = validated(_PlannedOptions, content, (), [path])
    values = {key: content[key] for key in (*DatasetConfig.PLANNED, *OF_RECIPE, "models") if key in content}
    own = {key: value for key, value in values.items() if key in OF_RECIPE}
    validated(Recipe, own, (), [path])
    if "size" in values:
        validated(DatasetConfig, {"reader": "folder", "size": values["size"]}, (), [path])
    for key, value in flat(values).items():
        if value == AUTO or (key.startswith("models.") and not _is_count(value)):
            raise StudyError(f"{key}: a plan says the number itself, found {value!r}", where=path)
    return DatasetPlan(path, values, block.because, block.seen, block.computed, block.memory)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
