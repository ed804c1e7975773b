"""Train one cell of a study: from its store and split to model.safetensors, history.csv and run.json."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from segstudy.config.recipes import Recipe
from segstudy.core import files, provenance, rng
from segstudy.core.errors import StudyError
from segstudy.data.store import open_store
from segstudy.data.subsets import stratum_counts
from segstudy.losses import build
from segstudy.models import cost, model_file, registry
from segstudy.runtime import gpu_use, memory
from segstudy.runtime.device import choose_device, choose_precision, configure, describe, peak_for
from segstudy.training import transfer
from segstudy.training.augment_geometry import check_square
from segstudy.training.checkpoint import ResumeCheckpoint, sweep
from segstudy.training.inputs import TrainingInputs, Unlabelled, load_inputs
from segstudy.training.kept_outputs import KeptOutputs
from segstudy.training.record import (
    changed_place,
    data_hashes,
    exact_identity,
    model_meta,
    plan_facts,
    record_fields,
    source_facts,
    unlabelled_hashes,
)
from segstudy.training.trainer import Trained, train

logger = logging.getLogger("segstudy")


@dataclass(frozen=True)
class TrainingFiles:
    """The files that the training of a cell reads and writes."""

    store: Path  # folder of the data set's store
    split: Path  # CSV with sample, subset
    outputs: Mapping[str, Path]  # `model`, `history` and `run`
    resume: Path  # folder of the state of an unfinished training; deleted at the end
    index: Path | None = None  # CSV with sample, stratum, group; read only where the recipe needs it
    encoder: Path | None = None  # weights for the network's encoder, where its options ask for some
    start: Path | None = None  # model file of the cell that the recipe starts from
    unlabelled: Unlabelled | None = None  # images that the recipe uses beside the labelled ones
    kept: KeptOutputs | None = None  # published files of this very training are restored, not trained again
    trained: Path | None = None  # folder of the published files of all trainings, which are taken over
    plan: Path | None = None  # of the data set, where it has chosen some of the settings


def train_cell(
    cell: TrainingFiles,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    code: str,
    command: str,
    sources: Mapping[str, str] | None = None,
) -> None:
    """Train a network as `settings` say and publish its files, run.json last.

    Args:
        settings: `model`, `loss` and `recipe` as `Study.training_settings` resolves them.
        seed: of weights, order, augmentation and dropout.
        code: fingerprint of the code that trains; a state made by other code is not continued.
        sources: path of each cell that this one builds on, by its role (`start`, `teacher`).

    Raises:
        StudyError: the split has no labelled training images, or none of its validation images is labelled; there are
            no strata to balance, a crop is larger than the images, the loss diverged, memory is exhausted.
        Interrupted: a signal asked to stop; the state is saved.
    """
    started = time.perf_counter()
    planned = plan_facts(cell.plan)
    recipe = Recipe.model_validate(settings["recipe"])
    memory.keep_freed_memory(recipe.on_oom)
    device = choose_device()
    configure(device, threads, recipe.deterministic)

    store = open_store(cell.store)
    inputs = load_inputs(store, cell.split, recipe, seed, cell.index, cell.unlabelled)
    channels = store.images.shape[3]
    torch.manual_seed(rng.number(seed, "weights"))
    model = registry.build(settings["model"], channels, inputs.outputs)
    loaded = transfer.start_from(model, recipe, cell.encoder, cell.start, channels, store.meta["classes"])
    inputs = replace(inputs, scaling=loaded.normalisation, pretrained_names=loaded.names)
    data = data_hashes(cell.store, cell.split, index=cell.index if inputs.index_read else None, **loaded.files)
    data |= unlabelled_hashes(cell.unlabelled)
    source_record = source_facts(sources, loaded, cell.unlabelled, data)

    checkpoint = ResumeCheckpoint(cell.resume, {"settings": settings, "seed": seed, "data": data, "code": code})
    exact = exact_identity(checkpoint.identity, describe(device, choose_precision("auto", device)), source_record)
    shared = KeptOutputs.of_identity(cell.trained, exact) if cell.trained else None
    if (shared and shared.take_over(cell.outputs, exact, command)) or (
        cell.kept and cell.kept.restore(cell.outputs, checkpoint.identity)
    ):
        logger.info("trained before with the same data, settings and code: taken over", extra={"notable": True})
        return
    check_crop(recipe, inputs.arrays[0].shape[1:3])
    if recipe.augmentation.transpose:
        check_square(recipe.crop or inputs.arrays[0].shape[1:3])
    work = estimate_work(model, inputs, recipe, device)
    loss = inputs.task.adapt_loss(build.build_loss(settings["loss"], inputs.statistics))
    limits = recipe.batch_size, work.canvas, recipe.accumulate, device, work.bytes_per_image
    with memory.explain_errors(*limits), gpu_use.watched(device) as busy:
        trained = train(model, loss, inputs, recipe.in_training, seed, device, checkpoint)

    meta = model_meta(settings, store, seed, trained, inputs.outputs)
    record = provenance.run_record(
        settings,
        seed,
        data=data,
        code=code,
        environment=describe(device, work.amp_dtype),
        starts=trained.starts,
        seconds=trained.seconds | {"total": time.perf_counter() - started},
        images_seen=trained.images_seen,
        flops_per_image=work.flops,
        peak=work.peak,
        command=command,
        **planned,
        **gpu_use.utilisation(busy),
        **record_fields(settings, store, inputs, loaded, model, trained, work.strata, source_record),
    )
    publish(cell.outputs, trained, meta, record)
    if cell.kept:
        cell.kept.save(cell.outputs, checkpoint.identity)
    if shared and not changed_place(trained.starts):
        shared.save(cell.outputs, exact)
    checkpoint.remove()


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


class Work(NamedTuple):
    """The size of a training, and the speed of this machine."""

    canvas: tuple[int, int]  # height, width of what the network sees
    amp_dtype: torch.dtype
    strata: dict[str, dict[str, int]]  # images and crops per epoch of each
    flops: int  # of the forward pass of one image
    bytes_per_image: int  # kept for the backward pass
    peak: float | None  # measured operations per second


def estimate_work(model: nn.Module, inputs: TrainingInputs, recipe: Recipe, device: torch.device) -> Work:
    """Count operations and memory of a training; measure the peak of the machine where the training is long."""
    images, amp_dtype = inputs.arrays[0], choose_precision(recipe.precision, device)
    height, width = canvas = recipe.crop or (images.shape[1], images.shape[2])
    known = inputs.strata and inputs.strata[: inputs.originals]
    strata = stratum_counts(np.asarray(inputs.train_rows), known, recipe.crops_per_image, recipe.crops_per_epoch)
    flops = cost.count_flops(model, images.shape[3], height, width)
    images_seen = recipe.epochs * sum(counts["per_epoch"] for counts in strata.values())
    peak = peak_for(provenance.TRAINING_PASSES * flops * images_seen, device, amp_dtype)
    bytes_per_image = cost.count_saved_bytes(model, images.shape[3], height, width, amp_dtype.itemsize)
    return Work(canvas, amp_dtype, strata, flops, bytes_per_image, peak)


def publish(outputs: Mapping[str, Path], trained: Trained, meta: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Write model, history and record, in this order: a folder with a run.json is complete."""
    for folder in {Path(path).parent for path in outputs.values()}:
        sweep(folder)
    model_file.save_model(outputs["model"], trained.weights, meta)
    files.write_csv(outputs["history"], trained.history)
    files.write_json(outputs["run"], record)
    logger.info("best epoch %d of %d; %s", meta["epoch"], len(trained.history), trained.stopped)
    logger.info("%s", provenance.format_throughput(record))
