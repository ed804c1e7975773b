"""Resource requests of a job: memory, minutes and disk, from the estimate of its cell, more at every attempt."""

from __future__ import annotations

import math
from pathlib import Path

# How far an estimate may be wrong, by what it rests on (`estimates.BASES`).
MARGINS = {"measured": 1.5, "scaled": 2.5, "guessed": 4.0}
LEAST_MB, STEP_MB = 2000, 500
MEMORY_MARGIN = 1.3
# Beside the work itself: a slow start on a busy file system, and what saves and ends a job in time.
LEAST_MINUTES, STEP_MINUTES = 20, 10
LONGEST = 1440  # minutes of the longest job where the profile does not say (`resources: walltime`)


def memory_mb(expected: float, attempt: int) -> int:
    """Return the MB of a job that is expected to need `expected`; every further attempt asks for as much again."""
    return _up(max(LEAST_MB, MEMORY_MARGIN * expected) * attempt, STEP_MB)


def minutes(seconds: float, basis: str, attempt: int, longest: int = LONGEST) -> int:
    """Return the minutes of a job that is expected to take `seconds`.

    Every further attempt asks for as much again, up to `longest`: a training that takes longer goes on from its
    saved state when it is sent again.
    """
    return min(longest, _up((LEAST_MINUTES + MARGINS[basis] * seconds / 60) * attempt, STEP_MINUTES))


def disk_mb(expected: float) -> int:
    """Return the MB that a job writes at most."""
    return _up(2 * expected + 100, 100)


def _up(value: float, step: int) -> int:
    return math.ceil(value / step) * step


def has_gpu(devices: Path = Path("/dev")) -> bool:
    """Return whether an NVIDIA GPU is attached (`/dev/nvidia0`, ...)."""
    return any(devices.glob("nvidia[0-9]*"))
