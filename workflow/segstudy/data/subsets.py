"""Select rows of a store by subset, stratum and share of the labels."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segstudy.core import checksums, files, rng
from segstudy.core.errors import StudyError
from segstudy.data.store import Store

logger = logging.getLogger("segstudy")


def subset_rows(store: Store, split: Path, subset: str) -> np.ndarray:
    """Return the rows of the labelled images of a subset, in the order of the split.

    A split may do without validation images: then there are no rows of subset `val`.

    Raises:
        StudyError: no image of the subset is labelled, there are none to train on, or the store lacks a sample.
    """
    table = files.read_csv(split, ("sample", "subset"))
    if set(table["sample"]) != set(store.geometry["sample"]):
        raise StudyError(
            f"split and store are of different images: {len(table)} and {len(store.geometry)}",
            where=split,
            allowed="every image of the store, once",
            remedy=f"{checksums.remake(split)}; or first the store, where that one is older",
        )
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
        examples = ", ".join(lacking[:5]) + " ..." * (len(lacking) > 5)
        raise StudyError(
            f"the recipe balances strata, but {len(lacking)} of {len(names)} training images have none ({examples})",
            where=index or "the recipe's balance",
            allowed="strata come with the data set (a diagnosis, a class): column stratum of its index",
            remedy="set balance: none in the recipe, or for this data set alone under its 'training:' in the config",
        )
    return strata


def column_of(index: Path | None, column: str) -> dict[str, str]:
    """Return a column of index.csv by sample, '' for empty cells; nothing without an index."""
    if index is None:
        return {}
    table = files.read_csv(index)
    return dict(zip(table["sample"].astype(str), table[column].fillna("").astype(str), strict=True))


def known_strata(store: Store, index: Path | None, rows: np.ndarray) -> list[str]:
    """Return the stratum of each row, '' where the index has none."""
    known = column_of(index, "stratum")
    return [known.get(str(name), "") for name in np.asarray(names_of(store))[rows]]


def share_of(store: Store, index: Path | None, rows: np.ndarray, share: float) -> np.ndarray:
    """Return the training rows whose labels a recipe uses; see `labelled_rows`."""
    if share == 1:
        return rows
    return labelled_rows(rows, np.asarray(names_of(store))[rows].tolist(), known_strata(store, index, rows), share)


def labels_used(store: Store, rows: np.ndarray, of_all: int) -> dict[str, Any]:
    """Return the entry `labels` of run.json: number of labelled images, out of how many, and their names if not all."""
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


def rectangles_of(store: Store) -> np.ndarray:
    """Return where the image of each row lies on the canvas: (N, 4), top, left, height, width."""
    return store.geometry.set_index("row").sort_index()[["top", "left", "height", "width"]].to_numpy(dtype=float)


def labelled_rows(rows: np.ndarray, samples: Sequence[str], strata: Sequence[str], share: float) -> np.ndarray:
    """Return the training rows whose labels are used, in their order: `share` of them, rounded, at least one.

    Images are ranked so that any leading part keeps the strata's proportions as nearly as possible: image k of the n
    of a stratum, in random order, gets the rank (k + u) / n with one random u for the stratum. A share is a leading
    part, so the 5 % are among the 10 %. Ranks depend on the training images alone: all cells of a split, teacher and
    student, have the same labels, whatever their seeds.

    Args:
        rows: training rows.
        samples: name of each of them.
        strata: stratum of each of them; '' is one too.
        share: 0 < share <= 1.
    """
    if share == 1:
        return rows
    order = sorted(range(len(rows)), key=lambda i: samples[i])
    digest = hashlib.sha256("\n".join(samples[i] for i in order).encode()).digest()
    random = rng.numpy_generator(int.from_bytes(digest[:8], "big"), "labels")
    places = np.empty(len(rows))
    for stratum in sorted(set(strata)):
        members = random.permutation([i for i in order if strata[i] == stratum])
        places[members] = (np.arange(len(members)) + random.uniform()) / len(members)
    count = max(1, int(np.floor(share * len(rows) + 0.5)))
    return rows[np.sort(np.argsort(places, kind="stable")[:count])]
