"""Times, devices and package versions of trainings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from segstudy.config.cell import Cell
from segstudy.core.provenance import read_run

# Sums over all processes of an interrupted training; `total` in run.json is that of the last process alone.
PARTS = ("steps", "validation", "saving")
Runs = Sequence[tuple[Cell, str | Path]]


def training_times(runs: Runs) -> pd.DataFrame:
    """Return `seconds_mean` and `seconds_sd` (over seeds, ddof 1) of the trainings of each network.

    The seconds of one training are those of its steps, validations and saved states, over all its processes.

    Args:
        runs: each cell with the path of its `run.json`.

    Returns:
        One row per data set, model, loss and recipe.
    """
    rows = [(*cell[:4], sum(read_run(path)["seconds"][part] for part in PARTS)) for cell, path in runs]
    table = pd.DataFrame(rows, columns=["dataset", "model", "loss", "recipe", "seconds"])
    groups = table.groupby(["dataset", "model", "loss", "recipe"], sort=False)["seconds"]
    return pd.DataFrame({"seconds_mean": groups.mean(), "seconds_sd": groups.std(ddof=1)}).reset_index()


def time_words(runs: Runs) -> list[str]:
    """Return the sentences on times and devices; all processes of an interrupted training count.

    A warning follows if not all cells were trained with the same packages.
    """
    starts = [start for _, path in runs for start in read_run(path, ("starts",))["starts"]]
    devices = sorted({f"{start['device']} ({_threads(start['threads'])})" for start in starts})
    mixed = "" if len(devices) == 1 else "; different devices, so that times of different rows may not be comparable"
    words = f"Time: seconds of a training (steps, validation, saving), mean over seeds, on {', '.join(devices)}{mixed}."
    return [words, *version_words(runs)]


def version_words(runs: Runs) -> list[str]:
    """Return a warning if not all cells were trained with the same packages."""
    packages: dict[str, Counter[str]] = {}
    for _, path in runs:
        record = read_run(path, ())
        versions = {"Python": record.get("python"), **record.get("packages", {}), **record.get("libraries", {})}
        for name, version in versions.items():
            packages.setdefault(name, Counter())[str(version)] += 1
    mixed = {name: versions for name, versions in packages.items() if len(versions) > 1}
    if not mixed:
        return []
    words = [
        f"{name} {', '.join(f'{version} ({cells} cells)' for version, cells in versions.most_common())}"
        for name, versions in sorted(mixed.items())
    ]
    return [f"VERSIONS ARE MIXED: not all cells were trained with the same packages: {'; '.join(words)}."]


def device_words(run: Mapping[str, Any]) -> str:
    """Return device, threads and precision of a training, from its `run.json`."""
    return f"{run['device']}, {_threads(run['threads'])}, {run['precision']}"


def _threads(number: int) -> str:
    return f"{number} thread{'s' if number > 1 else ''}"
