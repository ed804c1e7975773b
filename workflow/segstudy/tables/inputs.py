"""What Snakemake hands to the scripts of an experiment's tables, as the functions behind them take it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segstudy.config.cell import Cell
from segstudy.config.datasets import DatasetConfig
from segstudy.tables.captions import protocols
from segstudy.tables.variants import Gain, gain_of


def table_inputs(snakemake: Any) -> dict[str, Any]:
    """Return the arguments that all tables of an experiment share; `snakemake` is that of the script."""
    params, given = snakemake.params, snakemake.input
    datasets = {name: DatasetConfig.model_validate(block) for name, block in params.datasets.items()}
    return {
        "cells": [(Cell(*cell), path) for cell, path in zip(params.cells, given.counts, strict=True)],
        "controls": [(*pair, path) for pair, path in zip(params.pairs, given.controls, strict=True)],
        "experiment": snakemake.wildcards.experiment,
        "question": params.question,
        "policy": params.policy,
        "regions": {name: options.region for name, options in datasets.items()},
        "protocols": protocols(datasets, given.checks, params.chains),
        "outputs": dict(snakemake.output.items()),
    }


def gain_inputs(snakemake: Any) -> list[tuple[Gain, str | Path]]:
    """Return the rows that cost no training, each with the path of its counts."""
    return [(gain_of(gain), path) for gain, path in zip(snakemake.params.gains, snakemake.input.gains, strict=True)]
