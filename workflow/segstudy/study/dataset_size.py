"""Size of a data set: from the files of a study that has begun, else from its config.

No pandas, no torch: asked for every data set whenever Snakemake reads the workflow.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from segstudy.config import paths
from segstudy.config.class_names import BACKGROUND
from segstudy.config.datasets import DatasetConfig, Split
from segstudy.config.plan_file import PlanMissing
from segstudy.config.study import Study
from segstudy.core import checksums
from segstudy.core.errors import StudyError

# Labelled images, height and width of each data set as it is published; of one's own folder a guess.
PUBLISHED = {
    "ph2": (200, 575, 766),
    "drive": (40, 584, 565),
    "chase": (28, 960, 999),
    "stare": (20, 605, 700),
    "cmp": (606, 750, 750),
    "ebhi": (2226, 224, 224),
    "hrf": (45, 2336, 3504),
    "phc": (25, 400, 400),
    "rfmid": (3200, 1424, 2144),
    "folder": (200, 512, 512),
}
# Share of the official test set, where it is none of the config's.
OFFICIAL_TEST = {"drive": 0.5, "chase": 8 / 28, "stare": 0.5}
WITHOUT_MASKS = {"rfmid"}  # readers of data sets in which nothing is labelled
CLASSES = {"cmp": 11}  # in the foreground
# Not there, or damaged: estimated as if it were not there. The job that reads it says so; the one that makes it again
# is planned with these estimates.
DAMAGED = (OSError, ValueError, KeyError, TypeError, StudyError)
CHANNELS = {"rgb": 3, "grey": 1, "green": 1}


class DataSize(NamedTuple):
    """A data set before, or while, it is trained on."""

    images: int  # labelled; of a data set without any mask, all of them
    train: int
    val: int
    canvas: tuple[int, int]  # height, width of what networks see
    pixels: float  # of an image at its original size, mean
    channels: int
    outputs: int  # logits of a pixel
    guess: bool  # as published: nobody has looked at the files yet
    unlabelled: int = 0  # images without a mask, as far as the files tell

    @property
    def test(self) -> int:
        """Test images."""
        return self.images - self.train - self.val

    @property
    def learnable(self) -> int:
        """Images that others may learn from without their masks: those of train, and those that have none."""
        return self.train + self.unlabelled

    @property
    def store_bytes(self) -> int:
        """Bytes of the store: images, masks and rois."""
        return self.images * math.prod(self.canvas) * (self.channels + 2)


def data_size(study: Study, dataset: str, results: Path) -> DataSize:
    """Return the size of a data set of a study whose files lie below `results`."""
    try:
        options = study.dataset(dataset)
    except PlanMissing:  # as large as its images
        options = study.datasets[dataset]
    folder = paths.data(results, dataset)
    rows, masks, every = image_sizes(options, folder)
    guess = not (folder / "index.csv").exists() and not options.phantom
    subsets = _subsets(folder / "splits", options, masks)
    return DataSize(
        images=len(rows),
        train=subsets["train"],
        val=subsets["val"],
        canvas=_canvas(folder / "store/store.json", options, rows),
        pixels=sum(width * height for width, height in rows) / max(1, len(rows)),
        channels=CHANNELS[options.colour],
        outputs=outputs_of(options),
        guess=guess,
        unlabelled=every - masks,
    )


def image_sizes(options: DatasetConfig, folder: Path) -> tuple[list[tuple[int, int]], int, int]:
    """Return (width, height) of the labelled images, how many these are, and how many images there are.

    Of a data set without any mask, those of all images. Before there is an index in the data set's `folder`, as
    published.
    """
    try:
        listed = [(int(row["width"]), int(row["height"]), row["mask"]) for row in _rows(folder / "index.csv")]
        labelled = [(width, height) for width, height, mask in listed if mask]
        return labelled or [item[:2] for item in listed], len(labelled), len(listed)
    except DAMAGED:
        images, height, width = _expected(options)
        return [(width, height)] * images, 0 if options.reader in WITHOUT_MASKS else images, images


def outputs_of(options: DatasetConfig) -> int:
    """Return the logits of a pixel."""
    classes = len(set(options.classes) - {BACKGROUND}) if options.classes else CLASSES.get(options.reader, 1)
    return 1 if classes == 1 else classes + 1


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(checksums.content(path).decode("utf-8"), newline="")))


def _expected(options: DatasetConfig) -> tuple[int, int, int]:
    drawn = options.phantom
    return (drawn.images, drawn.height, drawn.width) if drawn else PUBLISHED[options.reader]


def _subsets(folder: Path, options: DatasetConfig, images: int) -> dict[str, int]:
    """Return the number of training and of validation images: of the first split there is, else by the config."""
    for path in sorted(folder.glob("seed*.csv"))[:1]:
        with suppress(*DAMAGED):
            counts = Counter(row["subset"] for row in _rows(path))
            return {"train": counts["train"], "val": counts["val"]}
    return expected_subsets(options.split, options.reader, images)


def expected_subsets(split: Split, reader: str, images: int) -> dict[str, int]:
    """Return about how many training and validation images a split will have, of so many labelled ones."""
    test = OFFICIAL_TEST.get(reader, split.test) if split.official else split.test
    if split.repeat == "kfold":
        test = 1 / split.folds
    if not images:
        return {"train": 0, "val": 0}
    rest = max(1, round(images * (1 - test)))
    val = round(rest * split.validation)
    return {"train": max(1, rest - val), "val": val}


def _canvas(store: Path, options: DatasetConfig, rows: list[tuple[int, int]]) -> tuple[int, int]:
    """Return height and width of the canvas: of the store, else as it will be."""
    with suppress(*DAMAGED):
        height, width = map(int, json.loads(checksums.content(store))["canvas"])
        return height, width
    return canvas_of(rows or [(16, 16)], options.model_dump(mode="json", include={"size"})["size"])[0]


def canvas_of(sizes: Sequence[tuple[int, int]], size: Any) -> tuple[tuple[int, int], float]:
    """Return height and width of the canvas, and its pixels for each pixel of the largest image.

    Args:
        sizes: (width, height) of the images.
        size: of the data set's config.
    """
    width, height = (max(size[side] for size in sizes) for side in (0, 1))
    if size == "native":
        factor = 1.0
    elif size.get("long_side"):
        factor = min(1.0, size["long_side"] / max(width, height))
    else:
        return (size["height"], size["width"]), min(1.0, size["height"] / height, size["width"] / width)
    return (-(-round(height * factor) // 16) * 16, -(-round(width * factor) // 16) * 16), factor
