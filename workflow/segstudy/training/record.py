"""What is written of a trained cell beside its weights: hashes of its data, the model's description, run.json."""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segstudy.config.plan_file import flat, read_plan
from segstudy.core import checksums, provenance
from segstudy.data.store import Store
from segstudy.losses import build
from segstudy.models import cost
from segstudy.runtime import fingerprint
from segstudy.runtime.device import cpu_name
from segstudy.training.inputs import TrainingInputs, Unlabelled
from segstudy.training.trainer import Trained
from segstudy.training.transfer import LoadedWeights

logger = logging.getLogger("segstudy")

# Whose version may change a bit of a training.
LIBRARIES = ("torch", "numpy", "scipy", "pandas", "scikit-image", "safetensors")


def data_hashes(store: Path, split: Path, **others: Path | None) -> dict[str, str]:
    """Return the SHA-256 of every file of the store, of the split, and of each other file, under its name.

    Raises:
        StudyError: a file is not what was written.
    """
    paths = {f"store/{path.name}": path for path in sorted(Path(store).iterdir()) if not path.name.startswith(".")}
    paths |= {"split": Path(split)} | {name: Path(path) for name, path in others.items() if path}
    return {name: _checked_hash(path) for name, path in paths.items()}


def _checked_hash(path: Path) -> str:
    return checksums.check_digest(path, provenance.file_hash(path))


def unlabelled_hashes(unlabelled: Unlabelled | None) -> dict[str, str]:
    """Return the SHA-256 of every file of the unlabelled images, of their pseudo-labels and of the list of accepted."""
    if unlabelled is None:
        return {}
    images = data_hashes(unlabelled.store, unlabelled.split)
    labels = {"targets": unlabelled.targets, "accepted": unlabelled.accepted}
    return {f"unlabelled/{name}": value for name, value in images.items()} | {
        f"pseudo/{name}": _checked_hash(path) for name, path in labels.items() if path
    }


def source_facts(
    sources: Mapping[str, str] | None,
    loaded: LoadedWeights,
    unlabelled: Unlabelled | None,
    data: Mapping[str, str],
) -> dict[str, Any]:
    """Return path and facts of each cell that a training builds on, by its role (`start`, `teacher`)."""
    facts = dict(loaded.facts)
    if unlabelled and unlabelled.teacher:
        facts["teacher"] = {"sha256": provenance.file_hash(unlabelled.teacher), "targets": data["pseudo/targets"]}
    return {role: {"cell": cell, **facts.get(role, {})} for role, cell in (sources or {}).items()}


def plan_facts(path: Path | None) -> dict[str, Any]:
    """Return the entry of run.json on the plan that chose settings, and say what a person has changed in it.

    `values` are those of the file, `edited` is what the planner had chosen for each key that is not as it chose.
    """
    if path is None:
        return {}
    plan = read_plan(path)
    before = {key: flat(plan.computed)[key] for key in plan.edited}
    for key, value in before.items():
        edited = flat(plan.values)[key]
        logger.info("plan edited by hand: %s is %s, planned was %s", key, edited, value, extra={"notable": True})
    return {"plan": {"sha256": provenance.file_hash(path), "values": plan.values, "edited": before}}


def exact_identity(
    identity: Mapping[str, Any], environment: Mapping[str, Any], sources: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all that the bytes of a trained cell depend on.

    Args:
        identity: settings, seed, hashes of data and code, by which an unfinished training is continued.
        environment: device, threads, torch (`runtime.device.describe`).
        sources: of `source_facts`: names and hashes of the cells that it builds on.
    """
    machine = {"instructions": torch.backends.cpu.get_cpu_capability(), "python": platform.python_version()}
    versions = provenance.package_versions(LIBRARIES)
    return {**identity, "environment": {**environment, **machine}, "packages": versions, "sources": dict(sources)}


def changed_place(starts: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a training was continued on another device, or with other threads or another torch."""
    places = [{key: value for key, value in start.items() if key not in ("epoch", "step")} for start in starts]
    return any(place != places[0] for place in places)


def model_meta(settings: Mapping[str, Any], store: Store, seed: int, trained: Trained, outputs: int) -> dict[str, Any]:
    """Return the description in a model file: enough to build the network and to feed it."""
    return {
        "settings": dict(settings),
        "seed": seed,
        "epoch": best_epoch(trained),
        "in_channels": store.images.shape[3],
        "outputs": outputs,
        "classes": list(store.meta["classes"]),
        "canvas": list(store.images.shape[1:3]),
        "normalisation": trained.normalisation,
    }


def best_epoch(trained: Trained) -> int:
    """Return the epoch of the published weights."""
    return int(trained.history.loc[trained.history["best"] == 1, "epoch"].iloc[-1])


def record_fields(
    settings: Mapping[str, Any],
    store: Store,
    inputs: TrainingInputs,
    loaded: LoadedWeights,
    model: nn.Module,
    trained: Trained,
    strata: Mapping[str, Mapping[str, int]],
    sources: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the fields of run.json that describe images, loss and outcome of a training.

    Args:
        loaded: pretrained weights of the model.
        strata: images and crops per epoch of each (`stratum_counts`); recorded where they were balanced.
        sources: of `source_facts`.
    """
    return {
        "dataset": store.meta,
        "images": {"train": inputs.originals, "val": len(inputs.val_rows), **inputs.further_images},
        "strata": dict(strata) if inputs.strata else {},
        "class_pixels": list(inputs.statistics.pixels),
        "loss_weights": build.weights_used(settings["loss"], inputs.statistics),
        "epochs": len(trained.history),
        "best_epoch": best_epoch(trained),
        "stopped": trained.stopped,
        "accumulate_used": trained.accumulate,
        "normalisation": trained.normalisation,
        "encoder": loaded.facts.get("encoder"),
        "sources": dict(sources),
        "labels": inputs.labels,
        "libraries": fingerprint.libraries(settings["model"]["network"]),
        "parameters": cost.count_parameters(model),
        "cpu": cpu_name(),
    }
