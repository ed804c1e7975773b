"""Read history.csv: one row per epoch of the training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from segstudy.core.checksums import damaged, remake
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv, read_json


def read_history(path: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read the history of a training and compare its epochs with run.json, where that lies beside it.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is damaged, empty, or not of the epochs that the training ran.
    """
    path = Path(path)
    history = read_csv(path)
    missing = [column for column in columns if column not in history]
    if missing or history.empty:
        raise StudyError(
            f"a history of training has {'no column ' + ', '.join(missing) if missing else 'no row'}",
            where=path,
            allowed=f"one row per epoch with the columns {', '.join(columns)}",
            remedy=remake(path),
        )
    try:
        epochs = read_json(path.with_name("run.json"), ("epochs",))["epochs"]
    except (FileNotFoundError, StudyError):  # who needs that file says so
        epochs = len(history)
    if len(history) != epochs:
        raise damaged(path, f"it has {len(history)} epochs, by run.json there were {epochs}")
    return history
