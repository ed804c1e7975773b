"""How long trainings took, and on what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from segstudy.config import Cell
from segstudy.files import read_json

# Of a training that was interrupted these are kept over all its processes; `total` is that of the last one alone.
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
    rows = [(*cell[:4], sum(read_json(path)["seconds"][part] for part in PARTS)) for cell, path in runs]
    table = pd.DataFrame(rows, columns=["dataset", "model", "loss", "recipe", "seconds"])
    groups = table.groupby(["dataset", "model", "loss", "recipe"], sort=False)["seconds"]
    return pd.DataFrame({"seconds_mean": groups.mean(), "seconds_sd": groups.std(ddof=1)}).reset_index()


def time_words(runs: Runs) -> list[str]:
    """Return what a caption says of the times: on which devices, every process of an interrupted training counted."""
    starts = [start for _, path in runs for start in read_json(path)["starts"]]
    devices = sorted({f"{start['device']} ({_threads(start['threads'])})" for start in starts})
    few = "" if len(devices) == 1 else "; different devices, so that times of different rows may not be comparable"
    return [f"Time: seconds of a training (steps, validation, saving), mean over seeds, on {', '.join(devices)}{few}."]


def _threads(number: int) -> str:
    return f"{number} thread{'s' if number > 1 else ''}"
