"""Count the pixels of every prediction against the truth, at the original resolution of the mask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.errors import StudyError
from segstudy.images import read_mask
from segstudy.metrics import COUNTS, confusion
from segstudy.progress import track
from segstudy.thresholds import binarise

MEASURED = ("train", "val", "test")
COLUMNS = ["sample", "subset", "class", "region", "policy", "threshold", *COUNTS]

Row = Mapping[str, Any]  # a row of index.csv


class Truth(NamedTuple):
    """What a prediction is compared with: bool (H, W) each, at the original resolution."""

    mask: np.ndarray
    roi: np.ndarray | None  # True inside the field of view; None where the data set has none

    @property
    def inside(self) -> np.ndarray:
        """The roi, or the whole image where there is none."""
        return np.ones_like(self.mask) if self.roi is None else self.roi


def measure(
    probabilities: Path,
    thresholds: Mapping[str, float],
    index: pd.DataFrame,
    split: pd.DataFrame,
    root: Path,
    classes: Sequence[str],
    threads: int = 1,
) -> pd.DataFrame:
    """Return counts.csv of one cell: every labelled image, in both regions, at every policy's threshold.

    Args:
        probabilities: folder with `<sample>.png`, 16 bit, original size.
        thresholds: policy -> threshold; rows follow its order.
        index: index.csv.
        split: the cell's split; only train, val and test images that have a mask are measured.
        root: folder of the raw data.
        classes: names of the foreground classes; exactly one.
        threads: images measured at a time.

    Raises:
        StudyError: if a probability map is missing or differs in size from the mask, or a mask from its roi.
    """
    from segstudy.inference import read_probability

    name = only_class(classes)

    def count(row: Row) -> list[dict[str, Any]]:
        path = Path(probabilities) / f"{row['sample']}.png"
        if not path.exists():
            raise StudyError(
                f"no probability map of sample {row['sample']}",
                where=path,
                remedy="delete the cell's probabilities and run the same command again",
            )
        probability, truth = read_probability(path), truth_of(row, root)
        fits(probability, truth.mask, path, Path(root) / row["mask"])
        key = {"sample": row["sample"], "subset": row["subset"], "class": name}
        lines = []
        for policy, threshold in thresholds.items():
            prediction = binarise(probability, threshold)
            lines += counts_of(key | {"policy": policy, "threshold": threshold}, prediction, truth)
        return lines

    rows = labelled(index, split)
    lines = [line for lines in in_threads(count, rows, threads, "measured") for line in lines]
    return pd.DataFrame(lines, columns=COLUMNS)


def truth_of(row: Row, root: Path) -> Truth:
    """Read the mask and, where the index names one, the roi of a row of index.csv.

    Raises:
        StudyError: if they differ in size, or no pixel lies inside the roi.
    """
    mask = read_mask(Path(root) / row["mask"]).array
    if not row["roi"]:
        return Truth(mask, None)
    path = Path(root) / row["roi"]
    roi = read_mask(path).array
    fits(roi, mask, path, Path(root) / row["mask"])
    if not roi.any():
        raise StudyError("the field of view is empty: no pixel counts", where=path, remedy="replace this file")
    return Truth(mask, roi)


def counts_of(key: Row, prediction: np.ndarray, truth: Truth) -> list[dict[str, Any]]:
    """Count one prediction bool (H, W) in region `full`, and in `roi` where there is one; `key` opens each line."""
    regions = {"full": None} if truth.roi is None else {"full": None, "roi": truth.roi}
    return [
        {**key, "region": region, **confusion(prediction, truth.mask, inside)._asdict()}
        for region, inside in regions.items()
    ]


def labelled(index: pd.DataFrame, split: pd.DataFrame) -> list[Row]:
    """Return the rows of the index, each with its `subset`, that are in train, val or test and have a mask.

    Raises:
        StudyError: if index and split do not name the same samples.
    """
    if list(index["sample"]) != list(split["sample"]):
        different = sorted(set(index["sample"]) ^ set(split["sample"]))
        raise StudyError(
            "index and split do not name the same samples in the same order",
            where=f"samples {', '.join(map(str, different[:5]))}" if different else "order of the samples",
            remedy="make the split again from this index",
        )
    table = index.assign(subset=split["subset"].to_numpy())
    return [
        {str(key): value for key, value in row.items()}
        for row in table[table["subset"].isin(MEASURED) & (table["mask"] != "")].to_dict("records")
    ]


def fits(found: np.ndarray, mask: np.ndarray, path: Path, mask_path: Path) -> None:
    """Raise a StudyError if an image (H, W, ...) read from `path` has another size than its mask (H, W)."""
    if found.shape[:2] != mask.shape:
        (height, width), (rows, columns) = found.shape[:2], mask.shape
        raise StudyError(
            f"{path.name} is {width}x{height} (width x height), its mask {columns}x{rows}",
            where=f"{path}\n           {mask_path}",
            allowed="the same size: pixels are compared one by one, nothing is resized here",
            remedy="mend the file that is wrong, or make it again if segstudy wrote it",
        )


def only_class(classes: Sequence[str]) -> str:
    """Return the name of the one foreground class.

    Raises:
        StudyError: if there are several: a probability map holds one class.
    """
    if len(classes) != 1:
        raise StudyError(
            f"{len(classes)} foreground classes cannot be measured: {', '.join(classes)}",
            allowed="one foreground class",
        )
    return classes[0]


def in_threads(work: Callable[[Row], Any], rows: Sequence[Row], threads: int, what: str) -> Iterable[Any]:
    """Yield `work(row)` in the order of `rows`, `threads` at a time; the first error ends it."""
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        yield from track(pool.map(work, rows), what, total=len(rows))
