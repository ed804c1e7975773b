"""Load what a cell is trained on: arrays, rows, and the task that its recipe asks for."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segstudy.config.recipes import Recipe
from segstudy.config.semi_supervised import PseudoLabels
from segstudy.core import files
from segstudy.core.arrays import read_array
from segstudy.core.errors import StudyError
from segstudy.data.concat_arrays import Arrays, join
from segstudy.data.split import LEARNABLE
from segstudy.data.store import Store, open_store
from segstudy.data.subsets import column_of, labels_used, names_of, rectangles_of, share_of, strata_of, subset_rows
from segstudy.losses import build
from segstudy.training.added_copies import copied_rows, with_copies
from segstudy.training.augment_intensity import changes_intensities
from segstudy.training.device_data import Rows
from segstudy.training.tasks.base import Task
from segstudy.training.tasks.denoising import RemoveNoise, eligible_images, split_rows
from segstudy.training.tasks.mean_teacher import MeanTeacher
from segstudy.training.tasks.pseudo_labels import Mixture

logger = logging.getLogger("segstudy")

NO_MASKS = build.ClassStatistics((0, 0))


@dataclass(frozen=True)
class TrainingInputs:
    """The data of a training. The loop uses the first fields; the others serve the network's head and the record."""

    arrays: Arrays  # images uint8 (N, H, W, C), masks uint8 (N, H, W) class ids, and where they count
    train_rows: Rows  # a row given twice counts twice
    val_rows: Rows  # the best epoch is chosen by these; may be empty
    names: Sequence[str] | None = None  # sample of every row of the arrays, for messages
    strata: Sequence[str] | None = None  # of every training row, to be visited equally often
    task: Task = field(default_factory=Task)
    scaling: Mapping[str, list[float]] | None = None  # `mean` and `std` of pretrained weights; None: of the images
    pretrained_names: Collection[str] = ()  # tensors of the network that were loaded, for the recipe's `transfer`

    statistics: build.ClassStatistics = NO_MASKS
    outputs: int = 1  # channels of the network's logits
    index_read: bool = False  # whether the training depends on the index
    further_images: Mapping[str, int] = field(default_factory=dict)  # numbers of `pseudo`, `unlabelled`, `copies`
    labels: Mapping[str, Any] | None = None  # `images` whose labels are used, `of` how many, where not all `samples`

    @property
    def originals(self) -> int:
        """Number of training rows that are no added copies; these follow them."""
        return len(self.train_rows) - self.further_images.get("copies", 0)


class Unlabelled(NamedTuple):
    """The data set that a recipe uses without its masks, and a teacher's pseudo-labels of it, if there are any."""

    store: Path
    split: Path
    targets: Path | None = None  # .npy, uint8 (N, H, W): probability times 255, rows and canvas of the store
    accepted: Path | None = None  # CSV with sample, accepted (1/0)
    teacher: Path | None = None  # model file of the teacher, for the record


def load_inputs(
    store: Store,
    split: Path,
    recipe: Recipe,
    seed: int,
    index: Path | None = None,
    unlabelled: Unlabelled | None = None,
) -> TrainingInputs:
    """Return the training inputs of a cell.

    Args:
        split: CSV with sample, subset.
        recipe: as the data set is trained with it.
        index: CSV with sample, stratum, group; read only where the recipe needs it.
        unlabelled: images for a recipe with `pseudo_labels` or `consistency`.

    Raises:
        StudyError: there are no images to train on or to choose an epoch by, no strata to balance, or no unlabelled
            images where the recipe needs some; unlabelled images have other channels.
    """
    if recipe.denoising:
        return _for_denoising(store, split, recipe, seed, index)
    every_row, val_rows = (subset_rows(store, split, name) for name in ("train", "val"))
    train_rows = share_of(store, index, every_row, recipe.labels)
    classes = len(store.meta["classes"]) + 1
    inputs = TrainingInputs(
        arrays=(store.images, store.masks, store.counted),
        train_rows=train_rows,
        val_rows=val_rows,
        names=names_of(store),
        strata=strata_of(store, index, train_rows) if recipe.balance != "none" else None,
        statistics=build.class_statistics(store.masks, store.counted, train_rows, classes),
        outputs=1 if classes == 2 else classes,
        index_read=recipe.balance != "none" or recipe.labels < 1,
        labels=labels_used(store, train_rows, len(every_row)),
    )
    if recipe.adds_copies:
        return _with_copies(inputs, recipe, seed)
    if recipe.pseudo_labels:
        return _with_pseudo_labels(inputs, store, recipe, recipe.pseudo_labels, seed, unlabelled)
    return _with_mean_teacher(inputs, store, recipe, seed, unlabelled) if recipe.consistency else inputs


def _with_copies(inputs: TrainingInputs, recipe: Recipe, seed: int) -> TrainingInputs:
    """Return the inputs with augmented copies of the images of small strata."""
    assert inputs.strata is not None and inputs.names is not None
    rows = copied_rows(inputs.train_rows, inputs.strata, seed)
    added = len(inputs.names) + np.arange(len(rows))
    stratum = dict(zip(np.asarray(inputs.train_rows).tolist(), inputs.strata, strict=True))
    return replace(
        inputs,
        arrays=with_copies(inputs.arrays, rows, recipe.augmentation, seed),
        train_rows=np.concatenate([inputs.train_rows, added]),
        names=[*inputs.names, *(f"{inputs.names[row]} (copy)" for row in rows)],
        strata=[*inputs.strata, *(stratum[row] for row in rows.tolist())],
        further_images={"copies": len(rows)},
    )


def _with_pseudo_labels(
    inputs: TrainingInputs,
    store: Store,
    recipe: Recipe,
    options: PseudoLabels,
    seed: int,
    unlabelled: Unlabelled | None,
) -> TrainingInputs:
    """Return the inputs with the accepted images that a teacher has labelled."""
    if unlabelled is None or unlabelled.targets is None or unlabelled.accepted is None:
        raise ValueError("a recipe with pseudo_labels needs the targets and the list of those accepted")
    others, table = open_store(unlabelled.store), files.read_csv(unlabelled.accepted)
    targets = read_array(unlabelled.targets, mmap=True)
    first, canvas = len(store.images), (store.images.shape[1], store.images.shape[2])
    pseudo = first + others.rows(table.loc[table["accepted"].astype(int) == 1, "sample"])
    crops, rectangles = recipe.crops_per_epoch, np.concatenate([rectangles_of(store), rectangles_of(others)])
    return replace(
        inputs,
        arrays=join(inputs.arrays, (others.images, targets, others.rois)),
        names=[*names_of(store), *names_of(others)],
        task=Mixture(pseudo, options.targets == "soft", options.real, canvas, seed, crops, rectangles),
        further_images={"pseudo": len(pseudo)},
    )


def _with_mean_teacher(
    inputs: TrainingInputs, store: Store, recipe: Recipe, seed: int, unlabelled: Unlabelled | None
) -> TrainingInputs:
    """Return the inputs with a mean teacher on images whose masks are not read."""
    if unlabelled is None:
        raise ValueError("a recipe with consistency needs images without labels")
    others, split = open_store(unlabelled.store), files.read_csv(unlabelled.split)
    rows = others.rows(split.loc[split["subset"].isin(LEARNABLE), "sample"])
    if _same_file(others.images, store.images):
        rows = np.setdiff1d(rows, inputs.train_rows)  # their masks are used
    name = recipe.consistency.unlabelled if recipe.consistency else ""
    if not len(rows):
        raise StudyError(
            f"the data set '{name}' has no image for the mean teacher to speak of",
            where=unlabelled.split,
            allowed="at least one image of the subsets train and unlabelled whose mask is not learned from",
            remedy="name another data set in the recipe's consistency.unlabelled, or use fewer labels (labels: 0.25)",
        )
    if others.images.shape[3] != store.images.shape[3]:
        raise StudyError(
            f"the labelled images have {store.images.shape[3]} channels, those of '{name}' {others.images.shape[3]}",
            where="the recipe's consistency.unlabelled",
            remedy="give both data sets the same 'colour:' in the config",
        )
    if not changes_intensities(recipe.augmentation):
        logger.warning(
            "the recipe's augmentation changes no intensities: the mean teacher and its student see the same pictures"
        )
    task = MeanTeacher((others.images, others.masks, others.rois), rows, recipe, seed)
    return replace(inputs, task=task, further_images={"unlabelled": len(rows)})


def _same_file(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two memory-mapped arrays are one file."""
    return getattr(a, "filename", None) == getattr(b, "filename", "")


def _for_denoising(store: Store, split: Path, recipe: Recipe, seed: int, index: Path | None) -> TrainingInputs:
    """Return the inputs of a denoising cell: images of train and unlabelled, in a split of its own."""
    assert recipe.denoising is not None
    samples, groups = eligible_images(files.read_csv(split), column_of(index, "group"))
    if len(set(groups) - {""}) + groups.count("") < 2:
        raise StudyError(
            f"{len(samples)} images are too few to learn to remove noise: one part learns, another chooses the epoch",
            where=split,
            allowed="images of the subsets train and unlabelled, of at least two groups",
            remedy="give the data set more images, or larger shares to train or unlabelled under its 'split:'",
        )
    train_rows, val_rows = split_rows(store.rows(samples), groups, recipe.denoising.validation, seed)
    return TrainingInputs(
        arrays=(store.images, store.masks, store.rois),
        train_rows=train_rows,
        val_rows=val_rows,
        names=names_of(store),
        outputs=store.images.shape[3],
        task=RemoveNoise(recipe.denoising, seed),
        index_read=True,
    )
