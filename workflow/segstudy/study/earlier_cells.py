"""What earlier cells of a study have cost: their run.json, and Snakemake's benchmark files."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from segstudy.config.recipes import Recipe
from segstudy.core import checksums
from segstudy.core.errors import StudyError

PARTS = ("steps", "validation", "saving")  # the seconds of a training that are summed over its processes
PASSES = 3  # a training step takes three times the operations of the forward pass


class Record(NamedTuple):
    """What an earlier cell has cost, from its run.json."""

    model: dict[str, Any]
    batch: int
    pixels: float  # of a training image or crop
    per_image: float  # seconds, validation included
    speed: float | None  # operations per second
    host_mb: float
    gpu: bool
    cuda_mb: float = 0.0
    busy: float | None = None
    work: float = 1.0  # of a training image, see `work_per_image`


def work_per_image(recipe: Recipe) -> float:
    """Return the work for a training image, with the unlabelled images beside it, in steps of one image.

    With a mean teacher an unlabelled image takes what a labelled one does, and each of both another forward pass by
    the mean network.
    """
    if recipe.consistency is None:
        return 1.0
    unlabelled = (recipe.consistency.batch_size or recipe.batch_size) / recipe.batch_size
    return (1 + unlabelled) * (PASSES + 1) / PASSES


def record_of(path: Path) -> Record | None:
    """Return what a run.json tells; None where it is damaged, was not written by this version, or took no step."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, StudyError):
        run = json.loads(checksums.content(path))
        recipe, seen = run["settings"]["recipe"], run["images_seen"]
        return Record(
            model=run["settings"]["model"],
            batch=recipe["batch_size"],
            pixels=float(math.prod(recipe["crop"] or run["dataset"]["canvas"])),
            per_image=sum(run["seconds"][part] for part in PARTS) / seen,
            speed=run["flops_per_second"],
            host_mb=run["peak_memory_mb"]["host"],
            gpu="cuda" in run["peak_memory_mb"],
            cuda_mb=run["peak_memory_mb"].get("cuda", 0.0),
            busy=run.get("gpu_utilisation"),
            work=work_per_image(Recipe.model_validate(recipe)),
        )
    return None


def seconds_in(path: Path) -> float | None:
    """Return the seconds in a benchmark file of Snakemake, None where they cannot be read."""
    with suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        return float(json.loads(path.read_text(encoding="utf-8").splitlines()[0])["s"])
    return None
