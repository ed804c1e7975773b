"""Check a split: copies of an image in two subsets, groups that are divided, strata that a subset lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segstudy.config.datasets import DeclaredException
from segstudy.core.errors import StudyError
from segstudy.data.checks.findings import Finding, apply_exceptions, check_same_samples
from segstudy.data.checks.near_duplicates import Pair, compared, near_duplicates, pairs_compared
from segstudy.data.split import PARTS, describe_split

SPLIT_KINDS = ("duplicate", "near_duplicate", "group_straddles", "no_foreground", "class_missing", "stratum_empty")


def check_split(
    index: pd.DataFrame,
    samples: pd.DataFrame,
    thumbnails: NDArray[np.floating],
    split: pd.DataFrame,
    exceptions: Sequence[DeclaredException] = (),
    *,
    dataset: str = "<data set>",
) -> dict[str, Any]:
    """Check that nothing leaks between the subsets of one split, and that every stratum is in all of them.

    Args:
        index: index.csv.
        samples: samples.csv.
        thumbnails: float32 (N, 64, 64), rows as in the index; all 0 (not decoded) is not compared.
        split: splits/seed<k>.csv.
        exceptions: the data set's declared exceptions.
        dataset: its name in the config, for the message.

    Returns:
        As `image_checks.check_images`, and: `pairs_compared` and `near_duplicates` (pairs of images in
        different subsets), `moved_copies` (those of them that are cropped or slightly turned), `groups` (of several
        images), `grouped_images`, `split` (see `split.describe_split`).

    Raises:
        StudyError: as `check_images`; also where train or test is empty although there are masks, or an image that is
            used has none.
    """
    check_same_samples(index, samples, "samples.csv")
    check_same_samples(index, split, "the split")
    _check_usable(index, split)
    decoded = thumbnails.any(axis=(1, 2))
    compared_subsets = np.where(decoded, split["subset"].to_numpy(dtype=object), "").tolist()
    pairs = _not_the_same_file(index, near_duplicates(thumbnails, compared_subsets))
    findings = [
        *_duplicates(index, split),
        *_near_duplicates(index, pairs, compared_subsets),
        *_straddling(index, split),
        *_without_foreground(samples, split),
        *_classes_not_trained(samples, split),
        *_empty_strata(index, split),
    ]
    record = apply_exceptions(findings, exceptions, SPLIT_KINDS, dataset)
    sizes = index.loc[index["group"] != "", "group"].value_counts()
    return record | {
        "images": len(index),
        "pairs_compared": pairs_compared(compared_subsets),
        "near_duplicates": len(pairs),
        "moved_copies": sum(pair.moved for pair in pairs),
        "groups": int((sizes > 1).sum()),
        "grouped_images": int(sizes[sizes > 1].sum()),
        "split": describe_split(split, index),
    }


def _duplicates(index: pd.DataFrame, split: pd.DataFrame) -> Iterator[Finding]:
    table = pd.DataFrame(
        {"sample": index["sample"], "hash": index["image_sha256"], "subset": split["subset"].to_numpy()}
    )
    for _, copies in table[table["hash"] != ""].groupby("hash", sort=False):
        if compared(copies["subset"].tolist()):
            names = _with_subset(copies["sample"], copies["subset"])
            yield Finding("duplicate", tuple(copies["sample"]), f"{' and '.join(names)} are the same file")


def _not_the_same_file(index: pd.DataFrame, pairs: Iterable[Pair]) -> list[Pair]:
    digest = index["image_sha256"].tolist()  # the same file is already a duplicate
    return [pair for pair in pairs if not digest[pair.first] or digest[pair.first] != digest[pair.second]]


def _near_duplicates(index: pd.DataFrame, pairs: Iterable[Pair], subsets: list[str]) -> Iterator[Finding]:
    sample = index["sample"].tolist()
    for a, b, score, _ in pairs:
        first, second = _with_subset((sample[a], sample[b]), (subsets[a], subsets[b]))
        text = f"{first} and {second} show the same picture (similarity {score:.2f})"
        yield Finding("near_duplicate", (sample[a], sample[b]), text)


def _straddling(index: pd.DataFrame, split: pd.DataFrame) -> Iterator[Finding]:
    table = pd.DataFrame({"group": index["group"], "subset": split["subset"].to_numpy()})
    table = table[(table["group"] != "") & table["subset"].isin(PARTS)]
    for group, rows in table.groupby("group", sort=False):
        counts = [f"{int((rows['subset'] == part).sum())} in {part}" for part in PARTS if part in set(rows["subset"])]
        if len(counts) > 1:
            yield Finding("group_straddles", (str(group),), f"group {group}: {', '.join(counts)}")


def _without_foreground(samples: pd.DataFrame, split: pd.DataFrame) -> Iterator[Finding]:
    """Subsets none of whose masks has foreground: nothing can be learned, tuned or measured there."""
    share = pd.to_numeric(samples["foreground_roi"], errors="coerce").fillna(
        pd.to_numeric(samples["foreground"], errors="coerce")
    )
    for part in PARTS:
        there = share[split["subset"].to_numpy() == part].dropna()
        if len(there) and not there.any():
            names = {"train": "trained", "val": "validated", "test": "tested"}
            text = f"{part}: none of the {len(there)} images that are {names[part]} on has foreground"
            yield Finding("no_foreground", (part,), text)


def _classes_not_trained(samples: pd.DataFrame, split: pd.DataFrame) -> Iterator[Finding]:
    """Classes that validation or test images show and no training image does."""
    subset = split["subset"].to_numpy()
    shown: dict[str, Counter[str]] = {}
    for part, names in zip(subset, samples["classes"], strict=True):
        for name in names.split() if isinstance(names, str) else ():
            shown.setdefault(name, Counter())[part] += 1
    for name, parts in shown.items():
        held = [f"{parts[part]} in {part}" for part in ("val", "test") if parts[part]]
        if held and not parts["train"] and "train" in subset:
            text = f"class {name}: no training image shows it, but {' and '.join(held)} do"
            yield Finding("class_missing", (name,), text)


def _empty_strata(index: pd.DataFrame, split: pd.DataFrame) -> Iterator[Finding]:
    """Strata that a subset lacks although as many groups as there are subsets hold it."""
    parts = [part for part in PARTS if part in set(split["subset"])]  # a study may do without validation images
    unit = np.where(index["group"] != "", "group " + index["group"], "image " + index["sample"])
    table = pd.DataFrame({"stratum": index["stratum"], "unit": unit, "subset": split["subset"].to_numpy()})
    table = table[(table["stratum"] != "") & table["subset"].isin(PARTS)]
    for stratum, rows in table.groupby("stratum", sort=True):
        missing = [part for part in parts if part not in set(rows["subset"])]
        groups = rows["unit"].nunique()
        if missing and groups >= len(parts):
            text = f"stratum {stratum}: none of its {groups} groups ({len(rows)} images) is in {' or '.join(missing)}"
            yield Finding("stratum_empty", (str(stratum),), text)


def _check_usable(index: pd.DataFrame, split: pd.DataFrame) -> None:
    subset = split["subset"].to_numpy(dtype=object)
    # A data set without any mask is not divided: it serves trainings that need no labels.
    unlabelled = (index["mask"] == "").all() and (subset == "unlabelled").all()
    empty = [part for part in ("train", "test") if part not in set(subset) and not unlabelled]
    used = np.isin(subset, PARTS) & (index["mask"] == "").to_numpy()
    if empty or used.any():
        what = f"{' and '.join(empty)} holds no image" if empty else ""
        what = what or f"{index['sample'].to_numpy()[used][0]} has no mask but is in {subset[used][0]}"
        raise StudyError(f"the split cannot be used: {what}", remedy="remove the file of the split and run again")


def _with_subset(samples: Iterable[str], subsets: Iterable[str]) -> list[str]:
    return [f"{sample} ({subset})" for sample, subset in zip(samples, subsets, strict=True)]
