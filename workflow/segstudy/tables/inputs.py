"""Inputs of the tables and figures of one experiment, unpacked from Snakemake."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from segstudy.config.cell import Cell
from segstudy.config.datasets import DatasetConfig
from segstudy.config.evaluation import Policy
from segstudy.core.errors import StudyError
from segstudy.tables.captions import Protocol, protocols
from segstudy.tables.counts import headline, read_counts
from segstudy.tables.variants import Variant, variant_of


@dataclass(frozen=True)
class ExperimentInputs:
    """What the tables and figures of one experiment share.

    Attributes:
        experiment: its name.
        cells: each cell with the path of its `counts.csv`, in the order of the config.
        outputs: the files to write, by the names of the rule.
        policy: threshold policy of the rows with one foreground class.
        controls: (data set, seed, path of the controls' counts).
        variants: rows that need no training, each with the path of its counts.
        regions: data set -> `roi` or `full`; an image without a roi counts in full.
        phantoms: the data sets whose images are drawn stand-ins.
        question: what the experiment is to answer; stands above its tables.
        protocols: data set -> what captions say of it.
    """

    experiment: str
    cells: Sequence[tuple[Cell, str | Path]]
    outputs: Mapping[str, str | Path]
    policy: Policy
    controls: Sequence[tuple[str, int, str | Path]] = ()
    variants: Sequence[tuple[Variant, str | Path]] = ()
    regions: Mapping[str, str] = field(default_factory=dict)
    phantoms: Collection[str] = ()
    question: str = ""
    protocols: Mapping[str, Protocol] = field(default_factory=dict)

    def counts(self) -> pd.DataFrame:
        """Return the counts of cells, variants and controls at every policy, see `segstudy.tables.counts`."""
        return read_counts([*self.cells, *((row.cell, path) for row, path in self.variants)], self.controls)

    def headline(self) -> pd.DataFrame:
        """Return the counts at the policy and in the regions of the readable tables."""
        return headline(self.counts(), self.policy, self.regions)

    def test_counts(self) -> pd.DataFrame:
        """Return the counts of `headline` on test images.

        Raises:
            StudyError: no network has any.
        """
        counts = self.headline()
        counts = counts[counts["subset"] == "test"]
        if not counts["row"].eq("cell").any():
            raise StudyError(
                f"experiment '{self.experiment}' has no test image to show", remedy="give its splits a test set"
            )
        return counts


def table_inputs(snakemake: Any) -> ExperimentInputs:
    """Return the inputs of a table from the `snakemake` of its script."""
    params = snakemake.params
    datasets = {name: DatasetConfig.model_validate(block) for name, block in params.datasets.items()}
    return ExperimentInputs(
        **_shared(snakemake),
        regions={name: options.region for name, options in datasets.items()},
        phantoms=[name for name, options in datasets.items() if options.phantom is not None],
        question=params.question,
        protocols=protocols(datasets, snakemake.input.checks, params.chains),
    )


def figure_inputs(snakemake: Any) -> ExperimentInputs:
    """Return the inputs of a figure from the `snakemake` of its script."""
    return ExperimentInputs(**_shared(snakemake), regions=snakemake.params.regions, phantoms=snakemake.params.phantoms)


def _shared(snakemake: Any) -> dict[str, Any]:
    params, files = snakemake.params, snakemake.input

    def paired(name: str, file_name: str) -> list[tuple[Any, str]]:
        return list(zip(getattr(params, name, ()), getattr(files, file_name, ()), strict=True))

    return {
        "experiment": snakemake.wildcards.experiment,
        "policy": params.policy,
        "cells": [(Cell(*cell), path) for cell, path in paired("cells", "counts")],
        "controls": [(*pair, path) for pair, path in paired("pairs", "controls")],
        "variants": [(variant_of(values), path) for values, path in paired("variants", "variants")],
        "outputs": dict(snakemake.output.items()),
    }
