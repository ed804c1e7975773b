"""The memory, minutes and disk that jobs ask for: by the estimate of their cell, within what the profile allows.

Snakemake asks for each attempt of each job. A function here returns one that takes `wildcards` and `attempt`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from segstudy.config import paths
from segstudy.config.study import Study
from segstudy.runtime import resources
from segstudy.study.estimates import Estimate, Estimates
from segstudy.study.gpu_sharing import WHOLE, is_local, sharing_of

Request = Callable[[Any, int], int]  # (wildcards, attempt) -> MB or minutes

GALLERY_MINUTES = 30
# A training asks for a GPU where this machine has one; on a cluster the profile asks for it.
GPU = int(resources.has_gpu())


def profile_number(settings: Mapping[str, Any], name: str, default: int) -> int:
    """Return the number that the profile or the command line gives; the default for none, or for an expression."""
    given = settings.get(name)
    value = getattr(given, "raw", given)
    return value if isinstance(value, int) else default


class JobRequests:
    """What the jobs of a study ask for.

    Args:
        asked: Snakemake's resource settings: what profile and command line say.
    """

    def __init__(self, study: Study, asked: Any) -> None:
        self.study = study
        # `walltime` is a resource that no job uses, so that the profile can state the longest job among the others.
        self.longest = profile_number(asked.resources, "walltime", resources.LONGEST)
        train = {name: getattr(one, "raw", one) for name, one in asked.overwrite_resources.get("train", {}).items()}
        gpus = profile_number(asked.resources, "gpu", 0)
        self.sharing = sharing_of(train, gpus, profile_number(asked.resources, "gpu_mb", 0))
        self.gpus = min(1, gpus) if is_local(train) else gpus
        self.estimates = Estimates(
            study,
            paths.results(study.study),
            gpu=bool(profile_number(train, "gpu", GPU) or self.sharing),
            threads=profile_number(asked.overwrite_threads, "train", 1),
        )

    def _estimate(self, wildcards: Any) -> Estimate:
        return self.estimates.cell(wildcards.dataset, wildcards.model, wildcards.recipe)

    def training_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of a training."""
        return resources.memory_mb(self._estimate(wildcards).training_mb, attempt)

    def training_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the minutes of a training.

        Room is left for what a cluster may run in the same submission: prediction, measuring and a gallery.
        """
        expected = self._estimate(wildcards)
        longest = self.longest - 2 * self.evaluation_minutes(wildcards, attempt) - GALLERY_MINUTES
        return resources.minutes(expected.training, expected.basis, attempt, longest)

    def gpu_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the memory on a GPU, which `resources: gpu_mb` of a profile limits where several jobs share one."""
        expected = self._estimate(wildcards).gpu_mb
        return resources.memory_mb(expected, attempt) if expected else 0

    def gpu_share(self, wildcards: Any, attempt: int) -> int:
        """Return the parts of a GPU that a training or a prediction takes of `scheduled`; 0 where nobody counts."""
        if not self.sharing:
            return 0
        return self.sharing.parts(self.gpu_mb(wildcards, attempt), self._estimate(wildcards).gpu_busy)

    @property
    def whole_gpu(self) -> int:
        """The parts of a GPU that a job takes which shares it with no other."""
        return WHOLE if self.sharing else 0

    @property
    def scheduled(self) -> dict[str, int]:
        """What the scheduler counts in the place of the profile's GPUs, where trainings share them."""
        if not (self.sharing and self.gpus):
            return {}
        return {"gpu": self.gpus * self.sharing.most, "gpu_share": self.gpus * WHOLE}

    def prediction_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of a prediction."""
        return resources.memory_mb(self._estimate(wildcards).prediction_mb, attempt)

    def evaluation_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the minutes of a prediction, and of its measuring."""
        expected = self._estimate(wildcards)
        return resources.minutes(expected.evaluation, expected.basis, attempt, self.longest // 4)

    def external_mb(self, wildcards: Any, attempt: int) -> int:
        """Return the memory of predicting and measuring an external test set."""
        return resources.memory_mb(self._external(wildcards).prediction_mb, attempt)

    def external_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the minutes of the same."""
        expected = self._external(wildcards)
        return resources.minutes(expected.evaluation, expected.basis, attempt, self.longest // 2)

    def external_disk_mb(self, wildcards: Any) -> int:
        """Return the disk that the same takes."""
        return resources.disk_mb(self._external(wildcards).disk_mb)

    def corrupted_minutes(self, wildcards: Any, attempt: int) -> int:
        """Return the minutes of measuring corrupted test images: a prediction for each strength."""
        expected = self.estimates.corrupted(wildcards.dataset, wildcards.model, wildcards.recipe)
        return resources.minutes(expected.evaluation, expected.basis, attempt, self.longest // 2)

    def _external(self, wildcards: Any) -> Estimate:
        return self.estimates.external(wildcards.dataset, wildcards.model, wildcards.recipe, wildcards.external)

    def disk_mb(self, wildcards: Any) -> int:
        """Return the disk that a cell takes."""
        return resources.disk_mb(self._estimate(wildcards).disk_mb)

    def per_attempt(self, mb: int, minutes: int | None = None) -> dict[str, Request]:
        """Return memory and minutes of a job that is the same for all cells: as much again at every attempt.

        Without `minutes` the rule names its `runtime` itself.
        """
        requests: dict[str, Request] = {"mem_mb": lambda wildcards, attempt: mb * attempt}
        if minutes is not None:
            requests["runtime"] = lambda wildcards, attempt: min(self.longest, minutes * attempt)
        return requests
