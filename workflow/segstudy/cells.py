"""Train one cell of a study: from its store and split to model.safetensors, history.csv and run.json."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from segstudy import checkpoint, files, memory, models, objective, precision, provenance, seeds
from segstudy.config.recipes import Recipe
from segstudy.errors import StudyError
from segstudy.models import cost
from segstudy.store import Store, open_store
from segstudy.training import Trained, train

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

    Raises:
        StudyError: the split has no labelled training or validation images, the loss diverged, memory is exhausted.
        Interrupted: a signal asked to stop; the state is saved.
    """
    started = time.perf_counter()
    recipe = Recipe.model_validate(settings["recipe"])
    memory.keep_freed_memory()
    device = precision.choose_device()
    precision.configure(device, threads, recipe.deterministic)
    opened = open_store(store)
    subsets = {name: subset_rows(opened, split, name) for name in ("train", "val")}
    foreground, channels = len(opened.meta["classes"]), opened.images.shape[3]
    statistics = objective.class_statistics(opened.masks, opened.rois, subsets["train"], foreground + 1)
    torch.manual_seed(seeds.number(seed, "weights"))
    network = models.build(settings["model"], channels, 1 if foreground == 1 else foreground + 1)
    data = data_hashes(store, split)
    slot = checkpoint.Slot(resume, {"settings": settings, "seed": seed, "data": data, "code": code})
    canvas = recipe.crop or opened.images.shape[1:3]
    with memory.explained(recipe.batch_size, canvas, recipe.accumulate, device):
        trained = train(
            network,
            objective.build_loss(settings["loss"], statistics),
            *(opened.images, opened.masks, opened.rois, subsets["train"], subsets["val"]),
            *(recipe, seed, device, slot, _names(opened)),
        )
    meta = model_meta(settings, opened, seed, trained)
    facts = {
        "dataset": opened.meta,
        "images": {name: len(rows) for name, rows in subsets.items()},
        "class_pixels": list(statistics.pixels),
        "loss_weights": objective.weights_used(settings["loss"], statistics),
        "epochs": len(trained.history),
        "best_epoch": meta["epoch"],
        "stopped": trained.stopped,
        "normalisation": trained.normalisation,
        "parameters": cost.count_parameters(network),
        "flops_per_image": cost.count_flops(network, channels, *canvas),
        "cpu": precision.cpu_name(),
    }
    record = provenance.run_record(
        settings,
        seed,
        data=data,
        code=code,
        environment=precision.describe(device, precision.choose_precision(recipe.precision, device)),
        starts=trained.starts,
        seconds=trained.seconds | {"total": time.perf_counter() - started},
        images_seen=trained.images_seen,
        command=command,
        **facts,
    )
    publish(outputs, trained, meta, record)
    slot.remove()


def subset_rows(store: Store, split: Path, subset: str) -> np.ndarray:
    """Return the rows of the labelled images of a subset, in the order of the split.

    Raises:
        StudyError: there are none, or the store lacks a sample.
    """
    table = files.read_csv(split)
    rows = store.rows(table.loc[table["subset"] == subset, "sample"])
    labelled = rows[store.geometry["labelled"].to_numpy()[rows] == 1]
    if len(labelled) < len(rows):
        logger.warning("%d images of subset %s have no mask: not used", len(rows) - len(labelled), subset)
    if not len(labelled):
        raise StudyError(
            f"the split has no labelled image in subset '{subset}'",
            where=split,
            remedy="change the shares under the data set's 'split:', or give it more images",
        )
    return labelled


def data_hashes(store: Path, split: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of the store, and of the split."""
    paths = {f"store/{path.name}": path for path in sorted(Path(store).iterdir()) if not path.name.startswith(".")}
    return {name: provenance.file_hash(path) for name, path in (paths | {"split": Path(split)}).items()}


def model_meta(settings: Mapping[str, Any], store: Store, seed: int, trained: Trained) -> dict[str, Any]:
    """Return what a model file says of itself: enough to build the network and to feed it."""
    classes = list(store.meta["classes"])
    return {
        "settings": dict(settings),
        "seed": seed,
        "epoch": int(trained.history.loc[trained.history["best"] == 1, "epoch"].iloc[-1]),
        "in_channels": store.images.shape[3],
        "outputs": 1 if len(classes) == 1 else len(classes) + 1,
        "classes": classes,
        "canvas": list(store.images.shape[1:3]),
        "normalisation": trained.normalisation,
    }


def publish(outputs: Mapping[str, Path], trained: Trained, meta: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Write model, history and record, in this order: a folder with a run.json is complete."""
    for folder in {Path(path).parent for path in outputs.values()}:
        checkpoint.sweep(folder)
    checkpoint.save_model(outputs["model"], trained.weights, meta)
    files.write_csv(outputs["history"], trained.history)
    files.write_json(outputs["run"], record)
    logger.info("best epoch %d of %d; %s", meta["epoch"], len(trained.history), trained.stopped)


def _names(store: Store) -> list[str]:
    table: pd.DataFrame = store.geometry.sort_values("row")
    return [str(sample) for sample in table["sample"]]
