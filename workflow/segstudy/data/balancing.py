"""Labelled training images of each stratum, and what an epoch has of it where a recipe balances the strata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from segstudy.config.datasets import Split
from segstudy.core.errors import StudyError
from segstudy.data.split import make_split

BEFORE = "training images of the split"
AFTER = {False: "seen in an epoch: images repeated", True: "after augmented copies were added"}


def stratum_sizes(split: pd.DataFrame, index: pd.DataFrame) -> pd.Series:
    """Return the number of labelled training images of each stratum, by its name.

    Args:
        split: CSV with sample, subset.
        index: CSV with sample, mask, stratum.

    Raises:
        StudyError: there is none, or one has no stratum.
    """
    labelled = index.loc[index["mask"].fillna("").ne(""), ["sample", "stratum"]].astype({"sample": str})
    train = split.loc[split["subset"].eq("train"), ["sample"]].astype({"sample": str})
    strata = train.merge(labelled, on="sample")["stratum"].fillna("")
    if not len(strata) or strata.eq("").any():
        raise StudyError(
            f"{int(strata.eq('').sum())} of {len(strata)} labelled training images have no stratum to balance by",
            allowed="strata come with the data set (a diagnosis, a class): column stratum of its index",
            remedy="set balance: none in the recipe, or for this data set alone under its 'training:' in the config",
        )
    return strata.value_counts().sort_index()


def balanced_sizes(sizes: pd.Series) -> pd.Series:
    """Return what a balanced epoch has of each stratum: as many as of the largest."""
    return sizes.clip(lower=sizes.max())


def balance_counts(index: pd.DataFrame, balances: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the sizes of strata before and after balancing, for the card.

    Args:
        index: index.csv.
        balances: `recipes` (names), `adds_copies`, `seed` and `split` (the block) of trainings on the data set.

    Returns:
        `recipes`, `seed`, `after` (in words) and `strata`: {name: [before, after]}, for each of `balances`.

    Raises:
        StudyError: as `stratum_sizes` and `split.make_split`.
    """
    records = []
    for balance in balances:
        split = make_split(index, Split.model_validate(balance["split"]), balance["seed"])
        before = stratum_sizes(split, index)
        pairs = zip(before, balanced_sizes(before), strict=True)
        strata = {str(name): [int(n) for n in pair] for name, pair in zip(before.index, pairs, strict=True)}
        after = AFTER[balance["adds_copies"]]
        records.append({"recipes": balance["recipes"], "seed": balance["seed"], "after": after, "strata": strata})
    return records
