"""An experiment: a grid of cells and the question it answers."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from segstudy.config.base import LARGEST_SEED, MOST_CELLS, MOST_SEEDS, Distinct, Options, added_key
from segstudy.config.cell import Cell
from segstudy.config.evaluation import COUNTED
from segstudy.core.errors import nearest


class ReferenceRow(Options):
    """One row of a published table: numbers that were not measured here."""

    row: str = Field(min_length=1, description="its name in the document")
    stratum: str = Field("", description="the class or diagnosis that it is about; left out: all images")
    values: dict[Literal[COUNTED], Annotated[float, Field(ge=-1, le=1)]] = Field(  # type: ignore[valid-type]
        min_length=1, description="metric: number, as shares from 0 to 1"
    )


class Reference(Options):
    """A published table that the report shows beside the experiment's own."""

    source: str = Field(min_length=5, description="document and table")
    note: str = Field("", description="how it was measured, where that differs")
    rows: list[ReferenceRow] = Field(min_length=1)


class Experiment(Options):
    """A grid of cells and the question it answers."""

    question: str = Field(min_length=5)
    datasets: Annotated[list[str], Distinct] = Field(min_length=1)
    models: Annotated[list[str], Distinct] = Field(min_length=1)
    losses: Annotated[list[str], Distinct] = Field(min_length=1)
    recipes: Annotated[list[str], Distinct] = Field(["default"], min_length=1)
    only: Annotated[list[str], Distinct] | None = Field(
        None, min_length=1, description="rows of the grid to train, as model/loss/recipe; left out: all"
    )
    seeds: list[int] = Field([0], description="number of seeds, or a list of seeds")
    labels: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [1.0],
        min_length=1,
        description="shares of the training labels; each recipe is trained with each share",
    )
    tested_on: Annotated[list[str], Distinct] = added_key(
        [],
        description="external test sets: data sets on whose images every cell is measured too (see "
        "external_images). Nothing is learned or chosen on them; a cell's own data set is passed over",
    )
    reference: list[Reference] = Field(
        [],
        description="published numbers to compare with; the report shows them, with their source, in own tables",
    )

    @field_validator("seeds", mode="before")
    @classmethod
    def _number_of_seeds(cls, value: Any) -> Any:
        if type(value) is not int:
            if not isinstance(value, list):
                raise ValueError(f"seeds are a number >= 1 or a list of different numbers >= 0, found {value!r}")
            return value
        if value > MOST_SEEDS:
            raise ValueError(f"{value} seeds are too many: at most {MOST_SEEDS:,} of an experiment")
        return list(range(value))

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: list[int]) -> list[int]:
        if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0 or max(seeds) > LARGEST_SEED:
            raise ValueError(f"seeds are a number >= 1 or a list of different numbers from 0 to {LARGEST_SEED}")
        if len(seeds) > MOST_SEEDS:
            raise ValueError(f"{len(seeds)} seeds are too many: at most {MOST_SEEDS:,} of an experiment")
        return seeds

    @field_validator("labels")
    @classmethod
    def _labels(cls, labels: list[float]) -> list[float]:
        if len({f"{share * 100:g}" for share in labels}) < len(labels):  # as recipes are called after them
            raise ValueError("labels are different shares, such as [0.1, 0.5, 1]")
        return sorted(labels)

    @model_validator(mode="after")
    def _size(self) -> Experiment:
        lists: tuple[list[Any], ...] = (self.datasets, self.models, self.losses, self.recipes, self.labels, self.seeds)
        if (cells := math.prod(len(part) for part in lists)) > MOST_CELLS:
            raise ValueError(f"its lists make {cells:,} cells; at most {MOST_CELLS:,} of a study")
        return self

    @model_validator(mode="after")
    def _only(self) -> Experiment:
        if self.only is None:
            return self
        rows = {f"{model}/{loss}/{recipe}" for model in self.models for loss in self.losses for recipe in self.recipes}
        strange = [row for row in self.only if row not in rows]
        if strange:
            hint = nearest(strange[0], sorted(rows))
            raise ValueError(f"only names '{strange[0]}', which is no model/loss/recipe of its lists.{hint}")
        return self

    @model_validator(mode="after")
    def _tested_elsewhere(self) -> Experiment:
        if self.tested_on == self.datasets and len(self.datasets) == 1:
            raise ValueError(f"tested_on names {self.tested_on[0]} alone, whose networks are tested on it anyway")
        return self

    @property
    def external(self) -> list[tuple[Cell, str]]:
        """Every cell with each external data set that it is measured on: all of `tested_on` but its own."""
        return [(cell, name) for name in self.tested_on for cell in self.cells if name != cell.dataset]

    @property
    def rows(self) -> int:
        """Number of networks of a data set's table, each with its loss and recipe."""
        return len({cell[1:4] for cell in self.cells})

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell of the grid, in the order of the tables."""
        return [
            Cell(dataset, model, loss, recipe, seed)
            for dataset in self.datasets
            for recipe in self.recipes
            for model in self.models
            for loss in self.losses
            if self.only is None or f"{model}/{loss}/{recipe}" in self.only
            for seed in self.seeds
        ]
