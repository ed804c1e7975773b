"""Read thresholds.json: policy -> threshold, or `argmax` without one."""

from __future__ import annotations

from pathlib import Path

from segstudy.core.checksums import damaged
from segstudy.core.files import read_json
from segstudy.evaluation.aggregate import ARGMAX


def read_thresholds(path: str | Path, headline: str = "") -> dict[str, float | None]:
    """Read the thresholds of a cell.

    Args:
        headline: a policy that it has to have.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is damaged, empty, holds anything but numbers from 0 to just above 1, or lacks `headline`.
    """
    thresholds = read_json(path)
    if not isinstance(thresholds, dict) or not thresholds:
        raise damaged(path, "it names no threshold policy")
    for policy, value in thresholds.items():
        whole = value is None if policy == ARGMAX else isinstance(value, int | float) and 0 <= value <= 2
        if not whole:
            raise damaged(path, f"the threshold of policy '{policy}' is {value!r}, no number from 0 to 1")
    if headline and headline not in thresholds:
        raise damaged(path, f"it has no threshold '{headline}', only {', '.join(thresholds)}")
    return thresholds
