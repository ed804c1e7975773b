"""The protocol of a data set in words: what stands in the caption of every table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segstudy.config.datasets import DatasetConfig, Prediction, Size
from segstudy.files import read_json
from segstudy.splits import split_words
from segstudy.table_captions import Protocol

ABOVE = ("data", "chains")  # folders of checks: of data sets and splits, of chains
SHOWN = 3  # accepted findings of one kind and reason that a caption writes out


def protocol(options: DatasetConfig, checks: Sequence[str | Path], sources: str = "") -> Protocol:
    """Return what captions say of a data set.

    Args:
        options: its config.
        checks: the json files of its image check, of the check of each of its splits, and of those of its chains.
        sources: what its cells were made of, see `chain_words`.
    """
    found = [read_json(path) for path in checks]
    of_splits = [item for item in found if "split" in item]
    splits = [item["split"] for item in of_splits]
    official = bool(splits) and splits[0]["rule"]["test"] == "official"
    leak = "" if options.split.grouped else _leak_words(splits)
    accepted = _accepted([item for one in found for item in one["accepted"]])
    exceptions = f"; declared exceptions: {'; '.join(accepted)}" if accepted else ""
    return Protocol(
        split=split_words(options.split, official) + leak + _copy_words(of_splits) + exceptions,
        size=_size_words(options.size) + _tile_words(options.prediction),
        phantom=options.phantom is not None,
        sources=sources,
    )


def protocols(
    datasets: Mapping[str, DatasetConfig], checks: Sequence[str | Path], sources: Mapping[str, str] | None = None
) -> dict[str, Protocol]:
    """Return what captions say of each data set; its checks have its name below `ABOVE` in their path."""

    def own(name: str) -> list[str | Path]:
        return [path for path in checks if any(f"/{above}/{name}/" in Path(path).as_posix() for above in ABOVE)]

    return {name: protocol(options, own(name), (sources or {}).get(name, "")) for name, options in datasets.items()}


def _accepted(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each finding, once; of many findings of one kind and reason the first and their number."""
    texts: dict[tuple[str, str], dict[str, None]] = {}
    for item in items:
        texts.setdefault((item["kind"], item["reason"]), {})[item["text"]] = None
    words = []
    for (kind, reason), found in texts.items():
        if len(found) > SHOWN:
            words.append(f"{next(iter(found))}, and {len(found) - 1} more of kind {kind} (accepted: {reason})")
        else:
            words += [f"{text} (accepted: {reason})" for text in found]
    return words


def _leak_words(splits: Sequence[Mapping[str, Any]]) -> str:
    """Return what a split that ignores groups gives away, over all seeds."""
    shared = sum(split["test_in_training"] for split in splits)
    tested = sum(split["subsets"]["test"] for split in splits)
    return f"; groups are IGNORED: {shared / tested:.0%} of the test images belong to groups that are trained on"


def _copy_words(checks: Sequence[Mapping[str, Any]]) -> str:
    """Return what the checks of the splits looked for and met: the numbers are those of the worst seed."""
    if not checks:
        return ""
    pairs, near, moved, groups, grouped = (
        max(check[name] for check in checks)
        for name in ("pairs_compared", "near_duplicates", "moved_copies", "groups", "grouped_images")
    )
    each = " in each split" if len(checks) > 1 else ""
    most = "up to " if len({check["near_duplicates"] for check in checks}) > 1 else ""
    met = f"{most}{near:,} near-duplicates ({moved:,} moved copies)" if near else "no near-duplicate"
    kept = f"{groups:,} groups of several images hold {grouped:,}" if groups else "no groups of several images"
    return f"; copies sought among {pairs:,} pairs across subsets{each}: {met}; {kept}"


def _size_words(size: Size | str) -> str:
    if isinstance(size, str):
        return "networks see the original pixels"
    if size.long_side is not None:
        return f"networks see images resized to a long side of {size.long_side} pixels"
    return f"networks see images fitted into {size.height}x{size.width} pixels"


def _tile_words(prediction: Prediction) -> str:
    if prediction.tile is None:
        return ""
    height, width = prediction.tile
    return f", and predict them in tiles of {height}x{width} that overlap by {prediction.overlap:.0%}"
