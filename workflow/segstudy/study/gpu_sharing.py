"""How many trainings share a GPU: `trainings_per_gpu` of a profile, a number or `auto`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from segstudy.core.errors import StudyError
from segstudy.runtime import resources

KEY = "trainings_per_gpu"
WHERE = f"set-resources: train: {KEY} (profile)"
AUTO = "auto"
WHOLE = 840  # parts of a GPU, since the scheduler counts in whole numbers: 1 to 8 trainings divide it
MOST = 8  # trainings on a GPU
UNMEASURED = 2  # where no training of the kind has told how busy it keeps a GPU: each takes twice as long at worst


class Sharing(NamedTuple):
    """What a profile allows."""

    most: int  # trainings on a GPU
    auto: bool
    memory_mb: float  # of a GPU

    def parts(self, need_mb: float, busy: float | None) -> int:
        """Return the parts of a GPU, of `WHOLE`, that a training asks for.

        Args:
            need_mb: its memory on the GPU.
            busy: share of the time in which such a training alone keeps the GPU at work; None: not known.
        """
        time = 1 / self.most
        if self.auto:
            time = max(time, 1 / UNMEASURED if busy is None else busy)
        return min(WHOLE, math.ceil(WHOLE * max(time, need_mb / self.memory_mb)))


def sharing_of(train: Mapping[str, Any], gpus: int, gpu_mb: int) -> Sharing | None:
    """Return how trainings share GPUs; None where each has its own.

    Args:
        train: the profile's `set-resources` of rule train, as written; a machine without a GPU shares none.
        gpus: `resources: gpu` of the profile.
        gpu_mb: `resources: gpu_mb` of the profile, of all GPUs; 0: not given.

    Raises:
        StudyError: the key is neither a number nor `auto`, or several are asked for where the queue gives each job a
            GPU of its own.
    """
    asked = train.get(KEY, 1)
    if asked != AUTO and (not isinstance(asked, int) or not 1 <= asked <= MOST):
        raise StudyError(f"cannot be {asked!r}", where=WHERE, allowed=f"auto, or 1 to {MOST}")
    local = is_local(train)
    if asked == 1 or (local and not train.get("gpu", resources.has_gpu())):
        return None
    if owner := _owner(train):
        if asked == AUTO:
            return None
        raise StudyError(
            f"{asked} trainings cannot share a GPU: {owner}",
            where=WHERE,
            remedy="set it to 1 or auto, or let the queue share GPUs: docs/cluster.md, 'Several trainings on one GPU'",
        )
    memory_mb = gpu_mb / (1 if local else max(1, gpus)) or 1000 * resources.training_memory(gpu=True, threads=1)[0]
    return Sharing(MOST if asked == AUTO else asked, asked == AUTO, memory_mb)


def is_local(train: Mapping[str, Any]) -> bool:
    """Return whether trainings run on this machine, where each takes the first GPU: no queue is named."""
    return "lsf_queue" not in train and "slurm_partition" not in train


def _owner(train: Mapping[str, Any]) -> str:
    """Return why each job has a GPU of its own, '' where jobs may share one."""
    if "lsf_queue" in train:
        line = str(train.get("lsf_extra", ""))
        return "" if "mode=shared" in line else "lsf_extra does not say mode=shared"
    if "slurm_partition" in train:
        line = f"{train.get('gres', '')} {train.get('slurm_extra', '')}"
        shared = not train.get("gpu") and any(word in line for word in ("shard:", "mps:"))
        return "" if shared else "gpu: 1 is a whole one for SLURM, and no shard or mps is asked for"
    return "nvidia-smi says that its compute mode is exclusive" if resources.is_exclusive() else ""
