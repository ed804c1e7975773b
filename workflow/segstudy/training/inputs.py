"""What a cell learns from: which rows of which arrays, for which outputs, and as which task its recipe asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segstudy.config.recipes import Recipe
from segstudy.config.semi_supervised import PseudoLabels
from segstudy.core import files
from segstudy.core.errors import StudyError
from segstudy.data.concat_arrays import join
from segstudy.data.split import LEARNABLE
from segstudy.data.store import Store, open_store
from segstudy.data.subsets import column_of, labels_used, names_of, rectangles_of, share_of, strata_of, subset_rows
from segstudy.losses import build
from segstudy.training.tasks.base import Loss, Task
from segstudy.training.tasks.denoising import RemoveNoise, channel_by_channel, divided, images_used
from segstudy.training.tasks.mean_teacher import MeanTeacher, varied
from segstudy.training.tasks.pseudo_labels import Mixture

logger = logging.getLogger("segstudy")


class Material(NamedTuple):
    """What `training.train` is given beside a network and a recipe, and what a record tells of it."""

    arrays: tuple[np.ndarray, np.ndarray, np.ndarray]  # images, masks, rois
    train: np.ndarray  # rows
    val: np.ndarray
    names: list[str]  # of every row of the arrays
    strata: list[str] | None  # of every training row, where they are balanced
    statistics: build.ClassStatistics
    outputs: int  # channels of the network's logits
    task: Task
    loss: Callable[[Loss], Loss]  # what the task makes of the loss that the config names
    index_read: bool  # whether the training depends on the index
    others: dict[str, int]  # images beside those of `train` and `val`, by what they are
    labels: dict[str, Any] | None = None  # `images` whose labels are used, `of` how many, where not all `samples`


class Unlabelled(NamedTuple):
    """The data set whose masks are not read: where its images lie, and what a teacher says of them, if one does."""

    store: Path
    split: Path
    targets: Path | None = None  # .npy, uint8 (N, H, W): probability times 255, rows and canvas of the store
    accepted: Path | None = None  # CSV with sample, accepted (1/0)
    teacher: Path | None = None  # model file of the cell that says it, for the record


def gather(
    store: Store,
    split: Path,
    recipe: Recipe,
    seed: int,
    index: Path | None = None,
    unlabelled: Unlabelled | None = None,
) -> Material:
    """Return what a cell of this recipe learns from.

    Args:
        store: of the cell's data set.
        split: CSV with sample, subset.
        recipe: as the data set is trained with it.
        seed: of the training.
        index: CSV with sample, stratum, group; read only where the recipe needs it.
        unlabelled: images that a recipe with `pseudo_labels` or `consistency` learns from too.

    Raises:
        StudyError: there are no images to learn from or to choose by, or no strata to balance; images without labels
            are asked for and there are none, or they have other channels.
    """
    if recipe.denoising:
        return _without_labels(store, split, recipe, seed, index)
    every, val = (subset_rows(store, split, name) for name in ("train", "val"))
    train = share_of(store, index, every, recipe.labels)
    classes = len(store.meta["classes"]) + 1
    material = Material(
        arrays=(store.images, store.masks, store.rois),
        train=train,
        val=val,
        names=names_of(store),
        strata=strata_of(store, index, train) if recipe.balance == "strata" else None,
        statistics=build.class_statistics(store.masks, store.rois, train, classes),
        outputs=1 if classes == 2 else classes,
        task=Task(),
        loss=lambda loss: loss,
        index_read=recipe.balance == "strata" or recipe.labels < 1,
        others={},
        labels=labels_used(store, train, len(every)),
    )
    if recipe.pseudo_labels:
        return _with_pseudo_labels(material, store, recipe, recipe.pseudo_labels, seed, unlabelled)
    return _with_mean_teacher(material, store, recipe, seed, unlabelled) if recipe.consistency else material


def _with_pseudo_labels(
    material: Material, store: Store, recipe: Recipe, options: PseudoLabels, seed: int, unlabelled: Unlabelled | None
) -> Material:
    """Return the material with the images that a teacher has labelled, those that are accepted."""
    if unlabelled is None or unlabelled.targets is None or unlabelled.accepted is None:
        raise ValueError("a recipe with pseudo_labels needs the targets and the list of those accepted")
    others, table = open_store(unlabelled.store), files.read_csv(unlabelled.accepted)
    targets = files.read_array(unlabelled.targets, mmap=True)
    arrays = join(material.arrays, (others.images, targets, others.rois))
    first, canvas = len(material.names), material.arrays[0].shape
    pseudo = first + others.rows(table.loc[table["accepted"].astype(int) == 1, "sample"])
    crops, rectangles = recipe.crops_per_epoch, np.concatenate([rectangles_of(store), rectangles_of(others)])
    return material._replace(
        arrays=arrays,
        names=[*material.names, *names_of(others)],
        task=Mixture(pseudo, options.targets == "soft", options.real, (canvas[1], canvas[2]), seed, crops, rectangles),
        others={"pseudo": len(pseudo)},
    )


def _with_mean_teacher(
    material: Material, store: Store, recipe: Recipe, seed: int, unlabelled: Unlabelled | None
) -> Material:
    """Return the material with a mean teacher, who speaks of images whose masks are not read."""
    if unlabelled is None:
        raise ValueError("a recipe with consistency needs images without labels")
    others, split = open_store(unlabelled.store), files.read_csv(unlabelled.split)
    rows = others.rows(split.loc[split["subset"].isin(LEARNABLE), "sample"])
    if _same_place(others.images, store.images):
        rows = np.setdiff1d(rows, material.train)  # the masks of these are known
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
    if not varied(recipe.augmentation):
        logger.warning(
            "the recipe's augmentation changes no intensities: the mean teacher and its student see the same pictures"
        )
    task = MeanTeacher((others.images, others.masks, others.rois), rows, recipe, seed)
    return material._replace(task=task, others={"unlabelled": len(rows)})


def _same_place(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two opened arrays are one file."""
    return getattr(a, "filename", None) == getattr(b, "filename", "")


def _without_labels(store: Store, split: Path, recipe: Recipe, seed: int, index: Path | None) -> Material:
    """Return what a cell learns to remove noise from: images of train and unlabelled, divided anew."""
    assert recipe.denoising is not None
    groups = column_of(index, "group")
    samples, own = images_used(files.read_csv(split), groups)
    if len(set(own) - {""}) + own.count("") < 2:
        raise StudyError(
            f"{len(samples)} images are too few to learn to remove noise: one part learns, another chooses the epoch",
            where=split,
            allowed="images of the subsets train and unlabelled, of at least two groups",
            remedy="give the data set more images, or larger shares to train or unlabelled under its 'split:'",
        )
    train, val = divided(store.rows(samples), own, recipe.denoising.validation, seed)
    return Material(
        arrays=(store.images, store.masks, store.rois),
        train=train,
        val=val,
        names=names_of(store),
        strata=None,
        statistics=build.ClassStatistics((0, 0)),  # no mask is looked at
        outputs=store.images.shape[3],
        task=RemoveNoise(recipe.denoising, seed),
        loss=channel_by_channel,
        index_read=True,
        others={},
    )
