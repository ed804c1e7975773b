"""The protocol of a data set in words: what stands in the caption of every table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segstudy.config.datasets import DatasetConfig, Size
from segstudy.files import read_json
from segstudy.splits import split_words
from segstudy.table_captions import Protocol


def protocol(options: DatasetConfig, checks: Sequence[str | Path]) -> Protocol:
    """Return what captions say of a data set.

    Args:
        options: its config.
        checks: the json files of its image check and of the check of each of its splits.
    """
    found = [read_json(path) for path in checks]
    splits = [item["split"] for item in found if "split" in item]
    official = bool(splits) and splits[0]["rule"]["test"] == "official"
    accepted = {_accepted(item): None for one in found for item in one["accepted"]}
    exceptions = f"; declared exceptions: {'; '.join(accepted)}" if accepted else ""
    return Protocol(
        split=split_words(options.split, official) + exceptions,
        size=_size_words(options.size),
        phantom=options.phantom is not None,
    )


def protocols(datasets: Mapping[str, DatasetConfig], checks: Sequence[str | Path]) -> dict[str, Protocol]:
    """Return what captions say of each data set; its checks are those whose path holds `/data/<name>/`."""
    return {
        name: protocol(options, [path for path in checks if f"/data/{name}/" in Path(path).as_posix()])
        for name, options in datasets.items()
    }


def _accepted(item: Mapping[str, Any]) -> str:
    return f"{item['text']} (accepted: {item['reason']})"


def _size_words(size: Size | str) -> str:
    if isinstance(size, str):
        return "networks see the original pixels"
    if size.long_side is not None:
        return f"networks see images resized to a long side of {size.long_side} pixels"
    return f"networks see images fitted into {size.height}x{size.width} pixels"
