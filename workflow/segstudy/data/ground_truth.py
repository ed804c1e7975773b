"""The labelled images of a split, with the masks and fields of view that predictions are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.core.checksums import remake
from segstudy.core.errors import StudyError
from segstudy.core.progress import track
from segstudy.data.images.label_map import Labels, known_labels
from segstudy.data.images.read_masks import read_mask
from segstudy.data.images.reading import reading_of

MEASURED = ("train", "val", "test")

Row = Mapping[str, Any]  # a row of index.csv


class Truth(NamedTuple):
    """What a prediction is compared with: (H, W) each, at the original resolution."""

    ids: np.ndarray  # uint8: 0 background, from 1 on the foreground classes
    roi: np.ndarray | None  # bool, True inside the field of view; None where the data set has none
    void: np.ndarray | None = None  # bool, True where the mask says nothing; None where all of it counts

    @property
    def mask(self) -> np.ndarray:
        """Where any foreground class is, bool."""
        return self.ids > 0

    @property
    def field(self) -> np.ndarray:
        """The roi, or the whole image where there is none."""
        return np.ones(self.ids.shape, bool) if self.roi is None else self.roi

    @property
    def inside(self) -> np.ndarray:
        """Where pixels count: the field without void."""
        return self.field if self.void is None else self.field & ~self.void

    def counted(self, region: str) -> np.ndarray | None:
        """Return where pixels count in the region `full` or `roi`, which are one without a roi; None: everywhere."""
        if region == "roi" and self.roi is not None:
            return self.inside
        return None if self.void is None else ~self.void


@dataclass(frozen=True)
class LabelledImages:
    """Images of a data set, divided by a split, and how their masks are read."""

    index: pd.DataFrame  # index.csv
    split: pd.DataFrame  # sample, subset
    root: Path  # folder of the raw files
    labels: Labels

    def rows(self) -> list[Row]:
        """Return the rows of the train, val and test images that have a mask."""
        return labelled(self.index, self.split)


def truth_of(row: Row, root: Path, labels: Labels) -> Truth:
    """Read the mask and, where the index names one, the roi of a row of index.csv.

    Raises:
        StudyError: if they differ in size, or no pixel lies inside the roi.
    """
    mask = known_labels(Path(root) / row["mask"], labels)
    roi = roi_of(row, root)
    if roi is not None:
        check_same_size(roi, mask.array, Path(root) / row["roi"], Path(root) / row["mask"])
    return Truth(mask.array, roi, mask.void)


def roi_of(row: Row, root: Path) -> np.ndarray | None:
    """Read the field of view of a row of index.csv, bool (H, W); None where the data set has none.

    Raises:
        StudyError: if no pixel lies inside it.
    """
    if not row["roi"]:
        return None
    path = Path(root) / row["roi"]
    roi = read_mask(path, upright=reading_of(row).upright).array
    if not roi.any():
        raise StudyError("the field of view is empty: no pixel counts", where=path, remedy="replace this file")
    return roi


def labelled(index: pd.DataFrame, split: pd.DataFrame, where: Path | None = None) -> list[Row]:
    """Return the rows of the index, each with its `subset`, that are in train, val or test and have a mask.

    `where` is the split's file, for the message.

    Raises:
        StudyError: if index and split do not name the same samples.
    """
    if list(index["sample"]) != list(split["sample"]):
        different = sorted(set(index["sample"]) ^ set(split["sample"]))
        samples = f"samples {', '.join(map(str, different[:5]))}" if different else "order of the samples"
        raise StudyError(
            f"index and split do not name the same samples in the same order: {len(index)} and {len(split)}",
            where=f"{where}, {samples}" if where else samples,
            allowed="every image of the index, once, in its order",
            remedy=f"{remake(where)}; or first index.csv, where that one was cut"
            if where
            else "make the split again from this index; or the index, where that one was cut",
        )
    table = index.assign(subset=split["subset"].to_numpy())
    return [
        {str(key): value for key, value in row.items()}
        for row in table[table["subset"].isin(MEASURED) & (table["mask"] != "")].to_dict("records")
    ]


def check_same_size(image: np.ndarray, mask: np.ndarray, path: Path, mask_path: Path) -> None:
    """Raise a StudyError if an image (H, W, ...) read from `path` has another size than its mask (H, W)."""
    if image.shape[:2] != mask.shape:
        (height, width), (rows, columns) = image.shape[:2], mask.shape
        raise StudyError(
            f"{path.name} is {width}x{height} (width x height), its mask {columns}x{rows}",
            where=f"{path}\n           {mask_path}",
            allowed="the same size: pixels are compared one by one, nothing is resized here",
            remedy="mend the file that is wrong, or make it again if segstudy wrote it",
        )


def evaluated_classes(labels: Labels) -> list[tuple[int, str]]:
    """Return id and name of every class that is counted: the foreground class, or all with background if several.

    A background whose values are all void has no pixel to count.
    """
    names = list(enumerate(labels.names))
    return names if labels.several and labels.values[:1] != ((),) else names[1:]


def in_threads(work: Callable[[Row], Any], rows: Sequence[Row], threads: int, what: str) -> Iterable[Any]:
    """Yield `work(row)` in the order of `rows`, `threads` at a time; the first error ends it."""
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        yield from track(pool.map(work, rows), what, total=len(rows))
