# What a job asks for: the estimates of its cell, within what the profile allows.
from segstudy.runtime import resources as job_resources
from segstudy.study.estimates import Estimates
from segstudy.runtime.resources import has_gpu

# A training asks for a GPU where this machine has one; on a cluster the profile asks for it.
GPU = int(has_gpu())


def of_profile(settings, name, default):
    """The number that the profile or the command line gives; the default where there is none, or an expression."""
    found = settings.get(name)
    value = getattr(found, "value", found)
    return value if isinstance(value, int) else default


ASKED = workflow.resource_settings
# Minutes of the longest job: a resource that no job uses, so that the profile can state it among the others.
LONGEST = of_profile(ASKED.resources, "walltime", job_resources.LONGEST)
GALLERY_MINUTES = 30

ESTIMATES = Estimates(
    STUDY,
    Path(RESULTS),
    gpu=bool(of_profile(ASKED.overwrite_resources.get("train", {}), "gpu", GPU)),
    threads=of_profile(ASKED.overwrite_threads, "train", 1),
)


def estimate_of(wildcards):
    """What the cell is expected to cost."""
    return ESTIMATES.cell(wildcards.dataset, wildcards.model, wildcards.recipe)


def training_mb(wildcards, attempt):
    return job_resources.memory_mb(estimate_of(wildcards).training_mb, attempt)


def training_minutes(wildcards, attempt):
    """Room is left for what a cluster may run in the same submission: prediction, measuring and a gallery."""
    expected = estimate_of(wildcards)
    longest = LONGEST - 2 * evaluation_minutes(wildcards, attempt) - GALLERY_MINUTES
    return job_resources.minutes(expected.training, expected.basis, attempt, longest)


def prediction_mb(wildcards, attempt):
    return job_resources.memory_mb(estimate_of(wildcards).prediction_mb, attempt)


def evaluation_minutes(wildcards, attempt):
    expected = estimate_of(wildcards)
    return job_resources.minutes(
        expected.evaluation, expected.basis, attempt, LONGEST // 4
    )


def cell_disk_mb(wildcards):
    return job_resources.disk_mb(estimate_of(wildcards).disk_mb)


def growing(megabytes):
    """Memory of a job that is the same for all cells: as much again at every attempt."""
    return lambda wildcards, attempt: megabytes * attempt


def longer(minutes):
    """Minutes of a job that is the same for all cells: as much again at every attempt, up to the longest job."""
    return lambda wildcards, attempt: min(LONGEST, minutes * attempt)
