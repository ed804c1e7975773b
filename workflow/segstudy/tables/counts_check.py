"""Read counts.csv of cells and controls; refuse a file that does not hold every image of the split once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from segstudy.core.checksums import damaged, remake
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv
from segstudy.data.ground_truth import labelled
from segstudy.evaluation.aggregate import ORACLE
from segstudy.evaluation.metrics import COUNTS

# Where counts lie in a study; those of seeds put together are of no one split.
OF_CELL = re.compile(r"(?:(.*)/)?cells/([^/]+)/[^/]+/[^/]+/[^/]+/seed(\d+)(?:/tta)?/counts\.csv")
OF_CONTROLS = re.compile(r"(?:(.*)/)?controls/([^/]+)/seed(\d+)\.csv")

COLUMNS = ("sample", "subset", "class", "region", "policy", *COUNTS)
SECOND_HUMAN = "second_human"  # of `segstudy.evaluation.controls`
Pairs = frozenset[tuple[str, str]]  # sample and subset


def read_measured(path: str | Path, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """Read counts and compare them with the split that they were measured on, where that lies in its place.

    Args:
        path: counts.csv of a cell, or the counts of controls.
        columns: those that it has to have; with a column `control`, there may be no row.

    Raises:
        StudyError: the file is damaged, empty, not of numbers, or not of the images of its split.
    """
    counts = read_csv(path)
    missing = [column for column in columns if column not in counts]
    if missing or (counts.empty and "control" not in columns):  # a study may do without controls
        raise StudyError(
            f"counts have {'no column ' + ', '.join(missing) if missing else 'no row'}",
            where=path,
            allowed=f"one row per image, class, region and policy with the columns {', '.join(columns)}",
            remedy=remake(path),
        )
    words = [name for name in COUNTS if name in counts and not pd.api.types.is_numeric_dtype(counts[name])]
    if words and len(counts):
        raise damaged(path, f"its column {words[0]} holds something that is no number")
    _compare(counts, Path(path), "control" in columns)
    return counts


def in_region(counts: pd.DataFrame, region: str) -> pd.DataFrame:
    """Return the rows of `region`, `roi` or `full`; of images without a roi, those of the full frame."""
    has_region = counts["region"].eq(region).groupby(counts["sample"]).transform("any")
    return counts[counts["region"].eq(region) | (counts["region"].eq("full") & ~has_region)]


def _compare(counts: pd.DataFrame, path: Path, controls: bool) -> None:
    match = (OF_CONTROLS if controls else OF_CELL).fullmatch(path.as_posix())
    if not match:
        return
    results, dataset, seed = match.groups()
    folder = Path(results or ".") / "data" / dataset
    index, split = folder / "index.csv", folder / "splits" / f"seed{seed}.csv"
    if not index.exists() or not split.exists():
        return
    whole, with_roi = _images(index, index.stat().st_mtime_ns, split, split.stat().st_mtime_ns)
    groups = [*(["control"] if controls else []), "class", "policy", "region"]
    for key, rows in counts.groupby(groups, sort=False):
        *_, policy, region = key
        expected = with_roi if region == "roi" else whole
        if policy == ORACLE:
            expected = frozenset(pair for pair in expected if pair[1] == "test")
        pairs = list(zip(rows["sample"], rows["subset"], strict=True))
        strange = set(pairs) - expected
        some = controls and key[0] == SECOND_HUMAN  # who has drawn some images only
        lost = set() if some else set(expected) - set(pairs)
        if strange or lost or len(set(pairs)) < len(pairs):
            raise StudyError(
                f"the counts are not those of the images of the split: {_words(strange, lost)}",
                where=f"{path}, {', '.join(f'{name} {value}' for name, value in zip(groups, key, strict=True))}",
                allowed=f"each of the {len(expected)} images of {split} that have a mask, once",
                remedy=remake(path),
            )


def _words(strange: set[tuple[str, str]], lost: set[tuple[str, str]]) -> str:
    said = []
    for what, pairs in (("missing", lost), ("of no such image or subset", strange)):
        if pairs:
            first = ", ".join(f"{sample} ({subset})" for sample, subset in sorted(pairs)[:3])
            said.append(f"{len(pairs)} {what}: {first}{' ...' * (len(pairs) > 3)}")
    return "; ".join(said) or "an image is counted twice"


@lru_cache(maxsize=256)
def _images(index: Path, index_changed: int, split: Path, split_changed: int) -> tuple[Pairs, Pairs]:
    """Return (sample, subset) of the images that are measured, and of those with a field of view; read once."""
    needed = ("sample", "mask", "roi")
    rows = labelled(read_csv(index, needed), read_csv(split, ("sample", "subset")), split)
    pairs = frozenset((str(row["sample"]), str(row["subset"])) for row in rows)
    return pairs, frozenset((str(row["sample"]), str(row["subset"])) for row in rows if row["roi"])
