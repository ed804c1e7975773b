"""Divide a data set's images into train, val, test and unlabelled.

In order of priority: official test sets are kept; groups stay whole; every subset holds an image; every stratum with
enough groups is in every subset; strata keep their proportions and subsets their shares, as nearly as whole groups
allow (see `segstudy.data.stratified_groups`). With `grouped: false` every image is its own group: such a split leaks,
and serves to measure how much. With `validation: 0` there is no validation subset, and official validation images are
trained on. A data set without any mask is unlabelled as a whole.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from segstudy.config.datasets import Split
from segstudy.core import rng
from segstudy.core.errors import StudyError
from segstudy.data import stratified_groups

SUBSETS = ("train", "val", "test", "unlabelled")
PARTS = SUBSETS[:3]
# Subsets whose images may be learned from without their masks: never those that are measured on.
LEARNABLE = ("train", "unlabelled")
logger = logging.getLogger("segstudy")


def make_split(index: pd.DataFrame, options: Split, seed: int) -> pd.DataFrame:
    """Return `sample`, `subset` (train, val, test or unlabelled), one row per index row, in its order.

    Args:
        index: columns `sample`, `mask`, `stratum`, `group`, `official_subset` of index.csv.
        options: the data set's `split:` block.
        seed: of the cell; what it changes is `options.repeat` (`kfold`: the number of the fold).

    Raises:
        StudyError: too few labelled images or groups for the subsets asked for; a fold that does not exist; official
            test images without labels while `fallback` is 'error'; an unknown name in `official_subset`.
    """
    subset = _official(index, options)
    if (index["mask"] == "").all():
        logger.info("no image has a mask: all are unlabelled, there is nothing to divide")
        return pd.DataFrame({"sample": index["sample"].to_numpy(), "subset": subset})
    if not options.validation:
        subset[subset == "val"] = ""
    pool = subset == ""
    units = _unit_names(index, options.grouped)
    table = _units(index, units, pool, options.stratify)
    has_test, has_val = "test" in set(subset), not options.validation or "val" in set(subset)
    chosen = np.full(len(table), "train", dtype=object)
    if options.repeat == "kfold":
        name = "val" if has_test else "test"
        chosen[_fold(table, options.folds, seed)] = name
        has_test, has_val = True, name == "val"
    else:
        seed = 0 if options.repeat == "fixed_split" else seed
    if not has_test:
        chosen[_carve(table, chosen, options.test, seed, "test", 1 if has_val else 2)] = "test"
    if not has_val:
        chosen[_carve(table, chosen, options.validation, seed, "validation", 1)] = "val"
    subset[pool] = chosen[table.index.get_indexer(units[pool])]
    _check_filled(subset, options)
    return pd.DataFrame({"sample": index["sample"].to_numpy(), "subset": subset})


def describe_split(split: pd.DataFrame, index: pd.DataFrame) -> dict[str, Any]:
    """Describe a split: images and groups per subset, images per stratum and subset, which rule made it.

    `rule` says for val and test whether they are the official ones ('official') or drawn from the labelled images
    ('carved'); `official_test_without_mask` counts official test images that cannot be scored; `test_in_training`
    counts test images of groups that are also trained on (0 but for official and ungrouped splits).
    """
    subset = split["subset"].to_numpy(dtype=object)
    official, labelled = index["official_subset"].to_numpy(dtype=object), (index["mask"] != "").to_numpy()
    units = _unit_names(index)
    strata = sorted(set(index["stratum"]) - {""})
    return {
        "images": len(split),
        "subsets": {name: int(np.sum(subset == name)) for name in SUBSETS},
        "groups": {name: len(set(units[subset == name])) for name in SUBSETS},
        "strata": {
            stratum: {
                name: int(np.sum((subset == name) & (index["stratum"] == stratum).to_numpy())) for name in SUBSETS
            }
            for stratum in strata
        },
        "rule": {
            name: "official" if _same((official == name) & labelled, subset == name) else "carved"
            for name in ("val", "test")
        },
        "test_in_training": int(np.isin(units[subset == "test"], units[subset == "train"]).sum()),
        "official_test_without_mask": int(np.sum((official == "test") & ~labelled)),
    }


def split_words(options: Split, official: bool, official_validation: bool = False) -> str:
    """Return a short sentence for captions.

    `official`: the test set is the data set's own, labelled one (`describe_split(...)["rule"]["test"]`);
    `official_validation`: so is the validation set.
    """
    carved = f"validation {options.validation:.0%} of {{}}" if options.validation else "no validation images"
    carved = "official validation set" if official_validation and options.repeat != "kfold" else carved
    if options.repeat == "kfold":
        if official:
            return f"official test set; {options.folds}-fold cross-validation, the fold is the validation set"
        return f"{options.folds}-fold cross-validation, the fold is the test set; {carved.format('the rest')}"
    again = "new split per seed" if options.repeat == "new_split" else "the same split for all seeds"
    if official:
        return f"official test set; {carved.format('the training images')}, {again}"
    return f"test {options.test:.0%} of all; {carved.format('the rest')}, {again}"


def _official(index: pd.DataFrame, options: Split) -> np.ndarray:
    """Return the subset of every row that needs no drawing, '' for the pool that is divided."""
    official = index["official_subset"].to_numpy(dtype=object)
    unknown = sorted(set(official) - {*SUBSETS, ""})
    if unknown:
        raise StudyError(
            f"the index names the official subset '{unknown[0]}'",
            where=f"sample {index['sample'].to_numpy()[official == unknown[0]][0]}, column official_subset",
            allowed=", ".join(SUBSETS) + ", or nothing",
        )
    labelled = (index["mask"] != "").to_numpy()
    subset = np.where(labelled, "", "unlabelled").astype(object)
    if not options.official:
        return subset
    test = official == "test"
    if test.any() and not (test & labelled).any():
        if options.fallback == "error":
            raise StudyError(
                f"none of the {test.sum()} official test images has a mask",
                where="split.fallback is 'error'",
                remedy="add the masks of the test images, or set 'fallback: carve' to carve a test set from the rest",
            )
        logger.info(
            "none of the %d official test images has a mask: they are unlabelled, and a test set is carved "
            "from the %d labelled images (split.fallback: carve)", test.sum(), labelled.sum()
        )  # fmt: skip
    for name in ("test", "unlabelled") if options.repeat == "kfold" else ("test", "unlabelled", "val"):
        subset[labelled & (official == name)] = name
    return subset


def _unit_names(index: pd.DataFrame, grouped: bool = True) -> np.ndarray:
    """Return the unit of every row: its group, or the image itself where it has none or none counts; object (N,)."""
    group = index["group"].to_numpy(dtype=object) if grouped else np.full(len(index), "", object)
    return np.array([f"group {g}" if g else f"image {s}" for g, s in zip(group, index["sample"], strict=True)], object)


def _units(index: pd.DataFrame, units: np.ndarray, pool: np.ndarray, stratify: bool) -> pd.DataFrame:
    """Return images per unit and stratum, one row per unit in order of appearance, one column per stratum."""
    strata = index["stratum"].to_numpy(dtype=object)[pool] if stratify else np.full(pool.sum(), "", object)
    rows, names = pd.factorize(units[pool])
    columns, labels = pd.factorize(strata, sort=True)
    counts = np.zeros((len(names), len(labels)), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return pd.DataFrame(counts, index=pd.Index(names), columns=pd.Index(labels))


def _carve(table: pd.DataFrame, chosen: np.ndarray, share: float, seed: int, purpose: str, leave: int) -> np.ndarray:
    """Return rows of `table`, among those still in train, that make up `share` of their images.

    At least `leave` units of every stratum (and of all) stay behind, for the subsets still to be filled.
    """
    rest = np.flatnonzero(chosen == "train")
    if len(rest) <= leave:
        raise StudyError(
            f"only {len(rest)} groups of labelled images are left, too few to carve a {purpose} set from",
            allowed=f"at least {leave + 1}, one for each of the subsets still to be filled",
            remedy="add labelled images; or, where large groups are the reason, give finer groups in the index",
        )
    random = rng.numpy_generator(seed, f"split {purpose}")
    return rest[stratified_groups.draw(table.to_numpy()[rest], share, leave, random)]


def _fold(table: pd.DataFrame, folds: int, fold: int) -> np.ndarray:
    if fold >= folds:
        raise StudyError(
            f"seed {fold} asks for fold {fold}, but there are {folds}",
            where="split.repeat is 'kfold'",
            allowed=f"seeds 0 to {folds - 1}",
            remedy="take fewer seeds, or set 'folds' higher",
        )
    if len(table) < folds:
        raise StudyError(
            f"{len(table)} groups of labelled images cannot be dealt into {folds} folds",
            where="split.folds",
            allowed=f"2 to {len(table)}" if len(table) > 1 else "",
            remedy="set 'folds' lower or add labelled images",
        )
    return np.flatnonzero(
        stratified_groups.deal(table.to_numpy(), folds, rng.numpy_generator(0, "split folds")) == fold
    )


def _check_filled(subset: np.ndarray, options: Split) -> None:
    needed = PARTS if options.validation else ("train", "test")
    empty = [name for name in needed if not (subset == name).any()]
    if empty:
        raise StudyError(
            f"no image is left for {' and '.join(empty)}",
            where=f"{(subset != 'unlabelled').sum()} labelled images",
            allowed=f"at least one image in each of {', '.join(needed[:-1])} and {needed[-1]}",
            remedy="add labelled images"
            + (" or set 'official: false' to divide all labelled images anew" if options.official else ""),
        )


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(a.any() and (a == b).all())
