"""Findings of the checks: accepted if the config declares them, otherwise one error with a line for each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd
import yaml

from segstudy.config.datasets import EXCEPTION_KINDS, DeclaredException
from segstudy.core.errors import StudyError

SHOWN = 50  # findings listed in an error
NAMED = 100  # names written out in a proposed exception
logger = logging.getLogger("segstudy")

TO_DO = {
    "unreadable": "replace the file by a sound copy, or remove the image and its mask",
    "size_mismatch": "check that the mask belongs to the image; one of the two was resized or cropped",
    "mask_not_binary": "check that this is the mask and not the image or a probability map; of masks of several "
    "values use the original files, no JPEG",
    "mask_of_values": "say what the values mean, by one of the lines above; half of the range would be a guess",
    "no_class_values": "use the original label files, whose one channel (or palette) holds the values, one file an "
    "image; or map colours under 'classes', for instance window: '#ff0000'",
    "unknown_label": "correct the file, or name the value under the data set's 'classes', 'background' included",
    "orientation": "say in the data set's block whether the notes count: 'orientation: apply' turns every image and "
    "mask as its own file notes, 'orientation: ignore' takes all pixels as stored",
    "image_range": "say in the data set's block which stored values are black and white, 'range: [0, 4095]', or take "
    "the images of another depth out",
    "roi_empty": "replace the field of view, or remove the image",
    "no_foreground": "move images with objects there: other official subsets, 'split: {official: false}', larger "
    "shares, or another seed",
    "class_missing": "move images with it to the training images, or merge it with another class under 'classes'",
    "mask_constant": "look at the mask: was it exported empty, or filled?",
    "mask_missing": "add the mask, or remove the image",
    "duplicate": "remove all but one copy, or give the copies one group",
    "near_duplicate": "look at both: remove one, or give them one group",
    "group_straddles": "set 'split: {grouped: true}'; of an official split, move the group to one side or set "
    "'split: {official: false}'",
    "seen_by_source": "let all cells of the chain use one split (the same seed, or 'split: {repeat: fixed_split}'); of "
    "another data set, remove the image there, or keep it out of its subsets train and unlabelled",
    "stratum_empty": "set 'split: {stratify: true}', take fewer folds or larger shares",
}


class Finding(NamedTuple):
    """One problem: its kind (see EXCEPTION_KINDS), the samples (or group, or stratum) concerned, a sentence."""

    kind: str
    subjects: tuple[str, ...]
    text: str


def apply_exceptions(
    findings: Iterable[Finding], exceptions: Sequence[DeclaredException], kinds: tuple[str, ...], dataset: str
) -> dict[str, Any]:
    """Return what the exceptions accept; raise for the rest."""
    exceptions = [exception for exception in exceptions if exception.kind in kinds]
    accepted, open_, used = [], [], set()
    for finding in findings:
        covering = [n for n, exception in enumerate(exceptions) if covers(exception, finding)]
        used.update(covering)
        if covering:
            record = {**finding._asdict(), "subjects": list(finding.subjects)}
            accepted.append(record | {"reason": exceptions[covering[0]].reason})
        else:
            open_.append(finding)
    warnings = [
        f"the exception {e.kind} ({', '.join(e.samples) or 'all'}: {e.reason}) matches nothing that was found"
        for n, e in enumerate(exceptions)
        if n not in used
    ]
    for warning in warnings:
        logger.warning("%s: %s", dataset, warning)
    if open_:
        raise _refusal(open_, dataset)
    return {"findings": [], "accepted": accepted, "warnings": warnings}


def check_same_samples(index: pd.DataFrame, other: pd.DataFrame, name: str) -> None:
    """Raise a StudyError unless a table has the samples of the index, in its order."""
    if index["sample"].tolist() != other["sample"].tolist():
        raise StudyError(
            f"{name} and index.csv do not name the same samples in the same order",
            remedy="one of them is out of date: remove it and run the same command again",
        )


def covers(exception: DeclaredException, finding: Finding) -> bool:
    """Return whether an exception was declared for a finding."""
    return exception.kind == finding.kind and (not exception.samples or set(finding.subjects) <= set(exception.samples))


def _refusal(findings: list[Finding], dataset: str) -> StudyError:
    kinds = [kind for kind in EXCEPTION_KINDS if any(finding.kind == kind for finding in findings)]
    lines = [f"  {finding.kind}: {finding.text}" for finding in findings[:SHOWN]]
    lines += [f"  and {len(findings) - SHOWN} more"] if len(findings) > SHOWN else []
    count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    advice = "".join(f"\n    {kind}: {TO_DO[kind]}" for kind in kinds)
    return StudyError(
        f"the check of {dataset} has {count}\n" + "\n".join(lines),
        remedy=f"mend the data{advice}\n"
        "  or, where this is known and right, declare it in the data set's block of the config "
        "(the report prints the reason):\n\n" + exception_yaml(findings, dataset),
    )


def exception_yaml(findings: Sequence[Finding], dataset: str) -> str:
    """Return the lines of config that declare `findings` as accepted; the reasons are left to be filled in."""
    entries = []
    for kind in EXCEPTION_KINDS:
        names = list(dict.fromkeys(name for f in findings if f.kind == kind for name in f.subjects))
        if names:
            named = {"samples": names} if len(names) <= NAMED else {}
            entries.append({"kind": kind, **named, "reason": "SAY WHY THIS IS RIGHT"})
    block = {"datasets": {dataset: {"exceptions": entries}}}
    return yaml.safe_dump(block, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True)
