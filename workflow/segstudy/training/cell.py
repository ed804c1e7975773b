"""Train one cell of a study: from its store and split to model.safetensors, history.csv and run.json."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from segstudy.config.recipes import Recipe
from segstudy.core import checksums, files, provenance, rng
from segstudy.core.errors import StudyError
from segstudy.data.store import Store, open_store
from segstudy.data.subsets import stratum_counts
from segstudy.losses import build
from segstudy.models import cost, model_file, registry
from segstudy.runtime import fingerprint, memory
from segstudy.runtime.device import choose_device, choose_precision, configure, cpu_name, describe, peak_for
from segstudy.training import checkpoint, kept_outputs, transfer
from segstudy.training.inputs import Unlabelled, gather
from segstudy.training.trainer import Trained, train

logger = logging.getLogger("segstudy")


def train_cell(
    store: Path,
    split: Path,
    settings: Mapping[str, Any],
    seed: int,
    outputs: Mapping[str, Path],
    resume: Path,
    threads: int,
    code: str,
    command: str,
    index: Path | None = None,
    encoder: Path | None = None,
    start: Path | None = None,
    sources: Mapping[str, str] | None = None,
    kept: Path | None = None,
    unlabelled: Unlabelled | None = None,
) -> None:
    """Train a network as `settings` say and publish what came of it, run.json last.

    Args:
        store: folder of the data set's store.
        split: CSV with sample, subset.
        settings: `model`, `loss` and `recipe` as `Study.training_settings` resolves them.
        seed: of weights, order, augmentation and dropout.
        outputs: paths of `model`, `history` and `run`.
        resume: folder of the state of an unfinished training; deleted at the end.
        threads: of the CPU.
        code: fingerprint of the code that trains; a state made by other code is not continued.
        command: what repeats this training, for run.json.
        index: CSV with sample, stratum, group; read only where the recipe needs it.
        encoder: weights that the network's encoder starts from, where its options ask for some.
        start: model file of the cell whose weights the recipe starts from.
        sources: path of each cell that this one builds on, by its role (`start`, `teacher`).
        kept: where what is published is kept until somebody takes it away (see `segstudy.training.kept_outputs`); what
            this very training has left there is published again instead of being trained again.
        unlabelled: images that the recipe learns from beside the labelled ones.

    Raises:
        StudyError: the split has no labelled training images, or none of its validation images is labelled; there are
            no strata to balance, a crop is larger than the images, the loss diverged, memory is exhausted.
        Interrupted: a signal asked to stop; the state is saved.
    """
    started = time.perf_counter()
    recipe = Recipe.model_validate(settings["recipe"])
    memory.keep_freed_memory(recipe.on_oom)
    device = choose_device()
    configure(device, threads, recipe.deterministic)
    opened = open_store(store)
    material = gather(opened, split, recipe, seed, index, unlabelled)
    channels = opened.images.shape[3]
    torch.manual_seed(rng.number(seed, "weights"))
    network = registry.build(settings["model"], channels, material.outputs)
    taken = transfer.start_from(network, recipe, encoder, start, channels, opened.meta["classes"])
    data = data_hashes(store, split, index=index if material.index_read else None, **taken.files)
    if unlabelled:
        data |= {f"unlabelled/{name}": value for name, value in data_hashes(unlabelled.store, unlabelled.split).items()}
        labels = {"targets": unlabelled.targets, "accepted": unlabelled.accepted}
        data |= {f"pseudo/{name}": _digest(path) for name, path in labels.items() if path}
    facts = {**taken.facts, "teacher": taught_by(unlabelled, data)}
    learned = {role: {"cell": cell, **facts.get(role, {})} for role, cell in (sources or {}).items()}
    slot = checkpoint.Slot(resume, {"settings": settings, "seed": seed, "data": data, "code": code})
    if kept and kept_outputs.restore(kept, outputs, slot.identity):
        logger.info("trained before, and a later job of the cell failed: what was published is put back")
        return
    check_crop(recipe, material.arrays[0].shape[1:3])
    height, width = recipe.crop or material.arrays[0].shape[1:3]
    arithmetic = choose_precision(recipe.precision, device)
    per_epoch = stratum_counts(material.train, material.strata, recipe.crops_per_image, recipe.crops_per_epoch)
    flops = cost.count_flops(network, channels, height, width)
    images = recipe.epochs * sum(counts["per_epoch"] for counts in per_epoch.values())
    peak = peak_for(provenance.TRAINING_PASSES * flops * images, device, arithmetic)
    per_image = cost.count_saved_bytes(network, channels, height, width, arithmetic.itemsize)
    with memory.explained(recipe.batch_size, (height, width), recipe.accumulate, device, per_image):
        trained = train(
            network,
            material.loss(build.build_loss(settings["loss"], material.statistics)),
            *(*material.arrays, material.train, material.val),
            *(recipe, seed, device, slot, material.names),
            strata=material.strata,
            scaling=taken.normalisation,
            taken=taken.names,
            task=material.task,
        )
    meta = model_meta(settings, opened, seed, trained, material.outputs)
    told = {
        "dataset": opened.meta,
        "images": {"train": len(material.train), "val": len(material.val)} | material.others,
        "strata": per_epoch if material.strata else {},
        "class_pixels": list(material.statistics.pixels),
        "loss_weights": build.weights_used(settings["loss"], material.statistics),
        "epochs": len(trained.history),
        "best_epoch": meta["epoch"],
        "stopped": trained.stopped,
        "accumulate_used": trained.accumulate,
        "normalisation": trained.normalisation,
        "encoder": taken.facts.get("encoder"),
        "sources": learned,
        "labels": material.labels,
        "libraries": fingerprint.libraries(settings["model"]["network"]),
        "parameters": cost.count_parameters(network),
        "cpu": cpu_name(),
    }
    record = provenance.run_record(
        settings,
        seed,
        data=data,
        code=code,
        environment=describe(device, arithmetic),
        starts=trained.starts,
        seconds=trained.seconds | {"total": time.perf_counter() - started},
        images_seen=trained.images_seen,
        flops_per_image=flops,
        peak=peak,
        command=command,
        **told,
    )
    publish(outputs, trained, meta, record)
    if kept:
        kept_outputs.keep(kept, outputs, slot.identity)
    slot.remove()


def check_crop(recipe: Recipe, canvas: Sequence[int]) -> None:
    """Check that crops lie inside the images, whose `canvas` is [height, width].

    Raises:
        StudyError: a crop is larger; of data sets at their native size the config alone cannot tell.
    """
    if recipe.crop and any(side > room for side, room in zip(recipe.crop, canvas, strict=True)):
        raise StudyError(
            f"the recipe's crops are larger than the images: {list(recipe.crop)}, [height, width]",
            allowed=f"at most {list(canvas)}, the canvas of the data set",
            remedy="a smaller crop, for this data set alone under its 'training:'",
        )


def taught_by(unlabelled: Unlabelled | None, data: Mapping[str, str]) -> dict[str, str]:
    """Return what a record says of a teacher: the SHA-256 of its model, and of what it said of the images."""
    if not unlabelled or not unlabelled.teacher:
        return {}
    return {"sha256": provenance.file_hash(unlabelled.teacher), "targets": data["pseudo/targets"]}


def data_hashes(store: Path, split: Path, **others: Path | None) -> dict[str, str]:
    """Return the SHA-256 of every file of the store, of the split, and of what else was read, under its name.

    Raises:
        StudyError: a file is not what was written.
    """
    paths = {f"store/{path.name}": path for path in sorted(Path(store).iterdir()) if not path.name.startswith(".")}
    paths |= {"split": Path(split)} | {name: Path(path) for name, path in others.items() if path}
    return {name: _digest(path) for name, path in paths.items()}


def _digest(path: Path) -> str:
    return checksums.check_digest(path, provenance.file_hash(path))


def model_meta(settings: Mapping[str, Any], store: Store, seed: int, trained: Trained, outputs: int) -> dict[str, Any]:
    """Return what a model file says of itself: enough to build the network and to feed it."""
    return {
        "settings": dict(settings),
        "seed": seed,
        "epoch": int(trained.history.loc[trained.history["best"] == 1, "epoch"].iloc[-1]),
        "in_channels": store.images.shape[3],
        "outputs": outputs,
        "classes": list(store.meta["classes"]),
        "canvas": list(store.images.shape[1:3]),
        "normalisation": trained.normalisation,
    }


def publish(outputs: Mapping[str, Path], trained: Trained, meta: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Write model, history and record, in this order: a folder with a run.json is complete."""
    for folder in {Path(path).parent for path in outputs.values()}:
        checkpoint.sweep(folder)
    model_file.save_model(outputs["model"], trained.weights, meta)
    files.write_csv(outputs["history"], trained.history)
    files.write_json(outputs["run"], record)
    logger.info("best epoch %d of %d; %s", meta["epoch"], len(trained.history), trained.stopped)
    logger.info("%s", provenance.told(record))
