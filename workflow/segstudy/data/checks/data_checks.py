"""Look for what would make a study's numbers wrong, and stop before anything is trained on it.

Each problem found is a `Finding`. A finding that the data set's config declares as known (`exceptions:`) is passed
on to the report with its reason; any other ends the run in one message with a line for each.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segstudy.config.datasets import DeclaredException
from segstudy.core.errors import StudyError
from segstudy.data.checks.findings import Finding, apply_exceptions
from segstudy.data.checks.near_duplicates import Pair, compared, near_duplicates, pairs_compared
from segstudy.data.images.label_map import Labels, looks_inverted
from segstudy.data.split import PARTS, describe_split

IMAGE_KINDS = ("unreadable", "size_mismatch", "mask_not_binary", "unknown_label", "mask_constant", "mask_missing")
SPLIT_KINDS = ("duplicate", "near_duplicate", "group_straddles", "stratum_empty")
logger = logging.getLogger("segstudy")


def check_images(
    samples: pd.DataFrame,
    index: pd.DataFrame,
    exceptions: Sequence[DeclaredException] = (),
    *,
    labels: Labels,
    dataset: str = "<data set>",
) -> dict[str, Any]:
    """Check every image and mask on its own; return the record of the check, to be written as JSON.

    Args:
        samples: samples.csv.
        index: index.csv.
        exceptions: the data set's declared exceptions.
        labels: of the data set; with several classes, a mask is constant when it holds one value only.
        dataset: its name in the config, for the message.

    Returns:
        `findings` (empty), `accepted` (kind, subjects, text, reason), `warnings`, `images`.

    Raises:
        StudyError: listing all findings that no exception covers, and the exceptions that would.
    """
    _check_same(index, samples, "samples.csv")
    findings = [*_decoding(samples), *_constant(samples, index, labels.several), *_missing(index)]
    record = apply_exceptions(findings, exceptions, IMAGE_KINDS, dataset)
    inverted = looks_inverted(samples, labels)
    if inverted:
        logger.warning("%s: %s", dataset, inverted)
        record["warnings"].append(inverted)
    return record | {"images": len(index)}


def check_split(
    index: pd.DataFrame,
    samples: pd.DataFrame,
    thumbnails: NDArray[np.floating],
    split: pd.DataFrame,
    exceptions: Sequence[DeclaredException] = (),
    *,
    dataset: str = "<data set>",
) -> dict[str, Any]:
    """Check that nothing leaks between the subsets of one split and that all strata are in it; see `check_images`.

    Args:
        index: index.csv.
        samples: samples.csv.
        thumbnails: float32 (N, 64, 64), rows as in the index; all 0 (not decoded) is not compared.
        split: splits/seed<k>.csv.
        exceptions: the data set's declared exceptions.
        dataset: its name in the config, for the message.

    Returns:
        As `check_images`, and what was looked at and met: `pairs_compared` and `near_duplicates` (pairs of images in
        different subsets), `moved_copies` (those of them that are cropped or slightly turned), `groups` (of several
        images), `grouped_images`, `split` (see `splits.describe_split`).

    Raises:
        StudyError: as `check_images`; also where train or test is empty although there are masks, or an image that is
            used has none.
    """
    _check_same(index, samples, "samples.csv")
    _check_same(index, split, "the split")
    _check_usable(index, split)
    decoded = thumbnails.any(axis=(1, 2))
    looked_at = np.where(decoded, split["subset"].to_numpy(dtype=object), "").tolist()
    pairs = _not_the_same_file(index, near_duplicates(thumbnails, looked_at))
    findings = [
        *_duplicates(index, split),
        *_near_duplicates(index, pairs, looked_at),
        *_straddling(index, split),
        *_empty_strata(index, split),
    ]
    record = apply_exceptions(findings, exceptions, SPLIT_KINDS, dataset)
    sizes = index.loc[index["group"] != "", "group"].value_counts()
    return record | {
        "images": len(index),
        "pairs_compared": pairs_compared(looked_at),
        "near_duplicates": len(pairs),
        "moved_copies": sum(pair.moved for pair in pairs),
        "groups": int((sizes > 1).sum()),
        "grouped_images": int(sizes[sizes > 1].sum()),
        "split": describe_split(split, index),
    }


def _decoding(samples: pd.DataFrame) -> Iterator[Finding]:
    """Findings of the reader: `problem` holds sentences that start with their kind, '; ' between them."""
    sentence = re.compile("; (?=(?:" + "|".join(IMAGE_KINDS) + "): )")
    for sample, readable, problem in samples[["sample", "readable", "problem"]].itertuples(index=False):
        for part in sentence.split(problem) if problem else []:
            kind, _, text = part.partition(":")
            if kind not in IMAGE_KINDS:
                raise ValueError(f"samples.csv: a problem of {sample} starts with no known kind: {part!r}")
            yield Finding(kind, (sample,), f"{sample}: {text.strip()}")
        if not problem and readable != 1:
            yield Finding("unreadable", (sample,), f"{sample}: cannot be read")


def _constant(samples: pd.DataFrame, index: pd.DataFrame, several: bool) -> Iterator[Finding]:
    foreground = pd.to_numeric(samples["foreground"], errors="coerce")
    values = pd.to_numeric(samples["mask_values"], errors="coerce")
    rows = zip(index["sample"], index["mask"] != "", foreground, values, strict=True)
    for sample, labelled, share, distinct in rows:
        if labelled and several and distinct == 1:
            yield Finding("mask_constant", (sample,), f"{sample}: the mask holds one value only")
        elif labelled and not several and share in (0, 1):
            name = "foreground" if share else "background"
            yield Finding("mask_constant", (sample,), f"{sample}: the mask is all {name}")


def _missing(index: pd.DataFrame) -> Iterator[Finding]:
    rows = index[["sample", "mask", "official_subset"]].itertuples(index=False)
    for sample, mask, official in rows:
        if not mask and official not in ("test", "unlabelled"):
            place = f"official subset '{official}'" if official else "no official subset"
            yield Finding("mask_missing", (sample,), f"{sample}: no mask ({place})")


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


def _check_same(index: pd.DataFrame, other: pd.DataFrame, name: str) -> None:
    if index["sample"].tolist() != other["sample"].tolist():
        raise StudyError(
            f"{name} and index.csv do not name the same samples in the same order",
            remedy="one of them is out of date: remove it and run the same command again",
        )


def _check_usable(index: pd.DataFrame, split: pd.DataFrame) -> None:
    subset = split["subset"].to_numpy(dtype=object)
    # A data set without any mask is not divided: it is there for those who need no labels.
    unlabelled = (index["mask"] == "").all() and (subset == "unlabelled").all()
    empty = [part for part in ("train", "test") if part not in set(subset) and not unlabelled]
    used = np.isin(subset, PARTS) & (index["mask"] == "").to_numpy()
    if empty or used.any():
        what = f"{' and '.join(empty)} holds no image" if empty else ""
        what = what or f"{index['sample'].to_numpy()[used][0]} has no mask but is in {subset[used][0]}"
        raise StudyError(f"the split cannot be used: {what}", remedy="remove the file of the split and run again")


def _with_subset(samples: Iterable[str], subsets: Iterable[str]) -> list[str]:
    return [f"{sample} ({subset})" for sample, subset in zip(samples, subsets, strict=True)]
