"""Resource requests of a job: memory, minutes and disk, from the estimate of its cell, more at every attempt."""

from __future__ import annotations

import math
import os
import resource
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# How far an estimate may be wrong, by what it rests on (`estimates.BASES`).
MARGINS = {"measured": 1.5, "scaled": 2.5, "guessed": 4.0}
LEAST_MB, STEP_MB = 2000, 500
MEMORY_MARGIN = 1.3
# Beside the work itself: a slow start on a busy file system, and what saves and ends a job in time.
LEAST_MINUTES, STEP_MINUTES = 20, 10
LONGEST = 1440  # minutes of the longest job where the profile does not say (`resources: walltime`)


class NetworkMemory(NamedTuple):
    """What a network takes in training beside what its process holds anyway, in MB: a line over a step's pixels."""

    weights: float  # with their gradients, and Adam's averages
    megapixel: float  # of a million pixels that go through the network at once

    def mb(self, pixels: float) -> float:
        """Return the MB of steps that look at so many pixels."""
        return self.weights + self.megapixel * pixels / 1e6


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


def training_memory(gpu: bool, threads: int) -> tuple[float, str]:
    """Return the GB that one training on this machine has, and whose they are.

    That is the smallest GPU, or the share of a training's cores in the main memory. A GPU that is elsewhere, in the
    queue of a cluster, cannot be asked: 8 GB are assumed.
    """
    if not gpu:
        cores = len(os.sched_getaffinity(0))
        share = min(1.0, threads / cores)
        limits = [(share * main_memory() / 1e9, f"main memory for {threads} of {cores} cores")]
        address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
        if address_space != resource.RLIM_INFINITY:  # of each process: no other shares it
            limits.append((max(0.0, address_space / 1e9 - MAPPED_GB), f"ulimit -v, less {MAPPED_GB} GB of libraries"))
        return min(limits)
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        return min(map(float, _of_gpus("memory.total"))) * 2**20 / 1e9, "the GPU of this machine"
    return ASSUMED_GPU_GB, "assumed, since no GPU is here to ask: set plan.memory_gb"


def is_exclusive() -> bool:
    """Return whether the GPUs of this machine take one process at a time."""
    with suppress(OSError, subprocess.SubprocessError):
        return any("exclusive" in mode.lower() for mode in _of_gpus("compute_mode"))
    return False


def _of_gpus(property_: str) -> list[str]:
    """Return what nvidia-smi tells of each GPU."""
    command = ["nvidia-smi", f"--query-gpu={property_}", "--format=csv,noheader,nounits"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()


ASSUMED_GPU_GB = 8.0
# Address space that a training takes beside its memory: libraries of which it uses a part. 0.50 to 0.57 was seen.
MAPPED_GB = 0.6
CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def main_memory(limits: tuple[Path, ...] = CGROUPS) -> int:
    """Return the bytes of main memory that this process may have: of the machine, its control group."""
    import psutil

    found = [psutil.virtual_memory().total]
    for path in limits:
        with suppress(OSError, ValueError):
            found.append(int(path.read_text(encoding="ascii")))
    return min(found)
