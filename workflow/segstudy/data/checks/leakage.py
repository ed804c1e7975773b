"""Check that no source of a cell has seen images that the cell is validated or tested on.

A source is a cell whose weights a training starts from, or which labels images for it. Its own sources count too, and
so do images that a training sees without their masks. Files are compared by checksum, pictures (re-encoded, resized,
turned, cropped) by thumbnail, over all data sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segstudy.config.datasets import DeclaredException
from segstudy.config.dependencies import Seen
from segstudy.data.checks.findings import Finding, apply_exceptions, covers
from segstudy.data.checks.near_duplicates import near_duplicates

KIND = "seen_by_source"
MEASURED = ("val", "test")


class Images(NamedTuple):
    """The images of one data set, rows in the same order."""

    table: pd.DataFrame  # index.csv
    thumbnails: NDArray[np.floating]  # (N, 64, 64), all 0 where an image was not decoded


def check_chain(
    dataset: str,
    seed: int,
    seen: Sequence[Seen],
    images: Mapping[str, Images],
    splits: Mapping[tuple[str, int], pd.DataFrame],
    exceptions: Sequence[DeclaredException] = (),
) -> dict[str, Any]:
    """Check that no source of a cell has seen an image that the cell is measured on; return the record of the check.

    What a source learned from must be in neither subset val nor test of the cell; what a source chose its best epoch
    on must not be in test: the validation images of a chain may be the same, as they are for all rows of a study.
    `split_checks.check_split` looks for near-duplicates inside the cell's own split.

    Args:
        dataset: of the cell.
        seed: of its split.
        seen: what its sources saw, see `config.dependencies.seen`.
        images: of every data set in question, by its name.
        splits: (data set, seed) -> its split.
        exceptions: declared by the cell's data set; samples of other data sets are named `<data set>/<sample>`.

    Returns:
        As `split_checks.check_split`: `findings` (empty), `accepted`, `warnings`; and `measured` (images looked for),
        `seen` (images that sources saw), `pairs_compared` (pictures).

    Raises:
        StudyError: listing all findings that no exception covers.
    """
    findings: dict[tuple[str, ...], Finding] = {}
    known: set[tuple[str, str]] = set()
    pairs = 0
    own = _subsets(splits[dataset, seed])
    for item in seen:
        subsets = MEASURED[1:] if item.chosen_by else MEASURED
        measured = [sample for sample, subset in own.items() if subset in subsets]
        there = [name for name, subset in _subsets(splits[item.dataset, item.seed]).items() if subset in item.subsets]
        known |= {(item.dataset, sample) for sample in there}
        found = list(_same_files(dataset, measured, item.dataset, there, images))
        if item.dataset != dataset:
            found += _same_pictures(dataset, measured, item.dataset, there, images)
            pairs += len(measured) * len(there)
        for sample, other, words in found:
            subject = (sample,) if item.dataset == dataset else (sample, f"{item.dataset}/{other}")
            text = f"{sample} ({own[sample]}){words}: {item.by} {item.how}"
            findings.setdefault((*subject, item.by), Finding(KIND, subject, text))
    # Exceptions of another kind, or for the data set's own split, are checked elsewhere.
    mine = [e for e in exceptions if any(covers(e, finding) for finding in findings.values())]
    record = apply_exceptions(findings.values(), mine, (KIND,), dataset)
    sizes = {"measured": sum(subset in MEASURED for subset in own.values()), "seen": len(known)}
    return record | sizes | {"pairs_compared": pairs, "sources": sorted({item.by for item in seen})}


def _same_files(
    dataset: str, measured: Sequence[str], other: str, seen: Sequence[str], images: Mapping[str, Images]
) -> Iterator[tuple[str, str, str]]:
    """Yield (measured sample, seen sample, words) of images that are one file."""
    mine, theirs = (dict(images[name].table[["sample", "image_sha256"]].to_numpy()) for name in (dataset, other))
    copies = {theirs[sample]: sample for sample in seen if theirs[sample]}
    for sample in measured:
        copy = copies.get(mine[sample])
        if copy is not None:
            same = other == dataset and copy == sample
            yield sample, copy, "" if same else f" and {other}/{copy} are the same file"


def _same_pictures(
    dataset: str, measured: Sequence[str], other: str, seen: Sequence[str], images: Mapping[str, Images]
) -> Iterator[tuple[str, str, str]]:
    """Yield the same of images that show the same picture in different files."""
    mine, theirs = images[dataset], images[other]
    names = [*mine.table["sample"], *theirs.table["sample"]]
    digests = [*mine.table["image_sha256"], *theirs.table["image_sha256"]]
    # All images of both are given, also those that are not looked at: what they share tells nothing of a copy.
    thumbnails = np.concatenate([mine.thumbnails, theirs.thumbnails])
    sides = [("measured", set(measured), len(mine.table)), ("seen", set(seen), len(theirs.table))]
    labels, at = [], 0
    for label, chosen, count in sides:
        labels += [label if name in chosen else "" for name in names[at : at + count]]
        at += count
    looked_at = np.where(thumbnails.any(axis=(1, 2)), np.array(labels, dtype=object), "").tolist()
    for pair in near_duplicates(thumbnails, looked_at):
        a, b = pair.first, pair.second
        if not digests[a] or digests[a] != digests[b]:  # the same file: found already
            yield names[a], names[b], f" and {other}/{names[b]} show the same picture (similarity {pair.score:.2f})"


def _subsets(split: pd.DataFrame) -> dict[str, str]:
    return dict(zip(split["sample"].astype(str), split["subset"].astype(str), strict=True))
