"""What a cell learns from: which rows of which arrays, for which outputs, and as which task its recipe asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segstudy import files, objective
from segstudy.config.recipes import Recipe
from segstudy.denoising import RemoveNoise, channel_by_channel, divided, images_used
from segstudy.errors import StudyError
from segstudy.label_shares import labelled_rows
from segstudy.store import Store
from segstudy.tasks import Loss, Task

logger = logging.getLogger("segstudy")


class Material(NamedTuple):
    """What `training.train` is given beside a network and a recipe, and what a record tells of it."""

    arrays: tuple[np.ndarray, np.ndarray, np.ndarray]  # images, masks, rois
    train: np.ndarray  # rows
    val: np.ndarray
    names: list[str]  # of every row of the arrays
    strata: list[str] | None  # of every training row, where they are balanced
    statistics: objective.ClassStatistics
    outputs: int  # channels of the network's logits
    task: Task
    loss: Callable[[Loss], Loss]  # what the task makes of the loss that the config names
    index_read: bool  # whether the training depends on the index
    others: dict[str, int]  # images beside those of `train` and `val`, by what they are
    labels: dict[str, Any] | None = None  # `images` whose labels are used, `of` how many, where not all `samples`


def gather(store: Store, split: Path, recipe: Recipe, seed: int, index: Path | None = None) -> Material:
    """Return what a cell of this recipe learns from.

    Args:
        store: of the cell's data set.
        split: CSV with sample, subset.
        recipe: as the data set is trained with it.
        seed: of the training.
        index: CSV with sample, stratum, group; read only where the recipe needs it.

    Raises:
        StudyError: there are no images to learn from or to choose by, or no strata to balance.
    """
    if recipe.denoising:
        return _without_labels(store, split, recipe, seed, index)
    every, val = (subset_rows(store, split, name) for name in ("train", "val"))
    train = share_of(store, index, every, recipe.labels)
    classes = len(store.meta["classes"]) + 1
    return Material(
        arrays=(store.images, store.masks, store.rois),
        train=train,
        val=val,
        names=names_of(store),
        strata=strata_of(store, index, train) if recipe.balance == "strata" else None,
        statistics=objective.class_statistics(store.masks, store.rois, train, classes),
        outputs=1 if classes == 2 else classes,
        task=Task(),
        loss=lambda loss: loss,
        index_read=recipe.balance == "strata" or recipe.labels < 1,
        others={},
        labels=labels_used(store, train, len(every)),
    )


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
        statistics=objective.ClassStatistics((0, 0)),  # no mask is looked at
        outputs=store.images.shape[3],
        task=RemoveNoise(recipe.denoising, seed),
        loss=channel_by_channel,
        index_read=True,
        others={},
    )


def subset_rows(store: Store, split: Path, subset: str) -> np.ndarray:
    """Return the rows of the labelled images of a subset, in the order of the split.

    A split may do without validation images: then there are no rows of subset `val`.

    Raises:
        StudyError: no image of the subset is labelled, there are none to train on, or the store lacks a sample.
    """
    table = files.read_csv(split)
    rows = store.rows(table.loc[table["subset"] == subset, "sample"])
    labelled = rows[store.geometry["labelled"].to_numpy()[rows] == 1]
    if len(labelled) < len(rows):
        logger.warning("%d images of subset %s have no mask: not used", len(rows) - len(labelled), subset)
    if not len(labelled) and (len(rows) or subset != "val"):
        none = set(table["subset"]) == {"unlabelled"}
        raise StudyError(
            f"the split has no labelled image in subset '{subset}'" + ": none of the data set has a mask" * none,
            where=split,
            remedy="a data set without masks serves recipes that name it as 'unlabelled', and those with 'denoising'"
            if none
            else "change the shares under the data set's 'split:', or give it more images",
        )
    return labelled


def strata_of(store: Store, index: Path | None, rows: np.ndarray) -> list[str]:
    """Return the stratum of each row, as the index has it.

    Raises:
        StudyError: one of them has none.
    """
    names, strata = np.asarray(names_of(store))[rows], known_strata(store, index, rows)
    lacking = [str(name) for name, stratum in zip(names, strata, strict=True) if not stratum]
    if lacking:
        shown = ", ".join(lacking[:5]) + " ..." * (len(lacking) > 5)
        raise StudyError(
            f"the recipe balances strata, but {len(lacking)} of {len(names)} training images have none ({shown})",
            where=index or "the recipe's balance",
            allowed="strata come with the data set (a diagnosis, a class): column stratum of its index",
            remedy="set balance: none in the recipe, or for this data set alone under its 'training:' in the config",
        )
    return strata


def column_of(index: Path | None, column: str) -> dict[str, str]:
    """Return what a column of index.csv says of each sample, '' where it says nothing; empty without an index."""
    if index is None:
        return {}
    table = files.read_csv(index)
    return dict(zip(table["sample"].astype(str), table[column].fillna("").astype(str), strict=True))


def known_strata(store: Store, index: Path | None, rows: np.ndarray) -> list[str]:
    """Return the stratum of each row, '' where the index has none."""
    known = column_of(index, "stratum")
    return [known.get(str(name), "") for name in np.asarray(names_of(store))[rows]]


def share_of(store: Store, index: Path | None, rows: np.ndarray, share: float) -> np.ndarray:
    """Return the training rows whose labels a recipe uses; see `label_shares`."""
    if share == 1:
        return rows
    return labelled_rows(rows, np.asarray(names_of(store))[rows].tolist(), known_strata(store, index, rows), share)


def labels_used(store: Store, rows: np.ndarray, of_all: int) -> dict[str, Any]:
    """Return what run.json says of the labels: of how many images, out of how many; their names where not all."""
    names = np.asarray(names_of(store))[rows].tolist()
    return {"images": len(rows), "of": of_all, "samples": sorted(names) if len(rows) < of_all else None}


def stratum_counts(
    rows: np.ndarray, strata: Sequence[str] | None, crops: int, total: int | None = None
) -> dict[str, dict[str, int]]:
    """Return `images` and what an epoch trains on (`per_epoch`, crops counted) of each stratum, by its name.

    Without `strata` all rows are one, without a name, and not balanced: `crops` of each, or `total` of them together.
    """
    if strata is None:
        return {"": {"images": len(rows), "per_epoch": total or len(rows) * crops}}
    counts = {name: strata.count(name) for name in sorted(set(strata))}
    largest = max(counts.values())
    return {name: {"images": count, "per_epoch": largest * crops} for name, count in counts.items()}


def names_of(store: Store) -> list[str]:
    """Return the sample of each row. Rows are read as text, in which 10 comes before 2."""
    names = dict(zip(store.geometry["row"].astype(int), store.geometry["sample"].astype(str), strict=True))
    return [names[row] for row in range(len(names))]
