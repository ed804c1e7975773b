"""Check every image and mask on its own: files that cannot be read or do not belong together, constant masks.

A finding that the data set's config declares as known (`exceptions:`) is passed on to the report with its reason; any
other stops the study before training.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from segstudy.config.datasets import DeclaredException
from segstudy.data.checks.findings import Finding, apply_exceptions, check_same_samples
from segstudy.data.images.label_map import Labels, looks_inverted, some_look_inverted, spelt
from segstudy.data.inspect_files import VOID_COLUMN
from segstudy.data.value_maps import merged_values, value_maps

IMAGE_KINDS = (
    *("unreadable", "size_mismatch", "mask_not_binary", "mask_of_values", "no_class_values", "unknown_label"),
    *("orientation", "image_range", "roi_empty", "mask_constant", "mask_missing"),
)
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
        `findings` (empty), `accepted` (kind, subjects, text, reason), `warnings`, `images`; where masks hold void,
        `void`: its values as text, and the images that have some.

    Raises:
        StudyError: listing all findings that no exception covers, and the exceptions that would.
    """
    check_same_samples(index, samples, "samples.csv")
    findings = [*_decoding(samples), *_constant(samples, index, labels.several), *_missing(index)]
    if maps := value_maps(samples):  # cut at half, they may well be constant: that says nothing of them
        findings = [f for f in findings if f.kind != "mask_constant" or f.subjects[0] not in maps.samples]
        findings.append(Finding("mask_of_values", *maps))
    record = apply_exceptions(findings, exceptions, IMAGE_KINDS, dataset)
    inverted = looks_inverted(samples, labels) or some_look_inverted(samples, labels)
    for warning in filter(None, (inverted, "" if maps else merged_values(samples))):
        logger.warning("%s: %s", dataset, warning)
        record["warnings"].append(warning)
    void = int((samples[VOID_COLUMN] > 0).sum()) if labels.void else 0
    record |= {"void": {"values": spelt(labels.void), "images": void}} if void else {}
    return record | {"images": len(index)}


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
    rows = zip(index["sample"], index["mask"] != "", foreground, values, samples["mask_mode"], strict=True)
    for sample, labelled, share, distinct, mode in rows:
        if labelled and several and distinct == 1:
            yield Finding("mask_constant", (sample,), f"{sample}: the mask holds one value only")
        elif labelled and not several and share in (0, 1):
            name = "foreground" if share else "background"
            why = f" ({mode})" if "the largest value being" in str(mode) else ""
            yield Finding("mask_constant", (sample,), f"{sample}: the mask is all {name}{why}")


def _missing(index: pd.DataFrame) -> Iterator[Finding]:
    rows = index[["sample", "mask", "official_subset"]].itertuples(index=False)
    for sample, mask, official in rows:
        if not mask and official not in ("test", "unlabelled"):
            place = f"official subset '{official}'" if official else "no official subset"
            yield Finding("mask_missing", (sample,), f"{sample}: no mask ({place})")
