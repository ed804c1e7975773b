"""Measure every prediction against the truth, at the original resolution of the mask: counts of pixels first.

Of several classes each one is counted against all others, the background being one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.data.ground_truth import (
    LabelledImages,
    Row,
    Truth,
    check_same_size,
    evaluated_classes,
    in_threads,
    truth_of,
)
from segstudy.data.images.label_map import Labels
from segstudy.data.images.prediction_files import read_classes, read_probability
from segstudy.evaluation.aggregate import ARGMAX, ORACLE, confusion
from segstudy.evaluation.calibration import COARSE, coarse, histograms, scores
from segstudy.evaluation.metrics import COLUMNS
from segstudy.evaluation.shape_metrics import PIXELS_ALONE, Measures, Shape, compared, shape_of
from segstudy.evaluation.thresholds import best_of, binarise, dice_curve

Line = dict[str, Any]
Shapes = dict[tuple[int, str], Shape]  # of one image's truth: (class id, region) -> shape


class Measured(NamedTuple):
    """What one cell got right and wrong, and the probabilities behind it."""

    counts: pd.DataFrame  # counts.csv
    histograms: dict[str, np.ndarray]  # histograms.npz: of each sample and region, where scores are measured


def measure(
    probabilities: Path,
    masks: Path,
    thresholds: Mapping[str, float | None],
    images: LabelledImages,
    threads: int = 1,
    measures: Measures = PIXELS_ALONE,
    oracle: bool = False,
) -> Measured:
    """Measure one cell: every labelled image, class and region, at every policy's threshold.

    Args:
        probabilities: folder with `<sample>.png`, 16 bit, original size; read where there is one foreground class.
        masks: folder with `<sample>.png`, class ids, original size; read where there are several.
        thresholds: policy -> threshold; rows follow its order. None for `argmax`, the policy of several classes.
        images: by the cell's split; only train, val and test images that have a mask are measured.
        threads: images measured at a time.
        measures: what is measured beside counts of pixels; `scores` where there is one foreground class alone.
        oracle: with one foreground class, count the test images at one more threshold: of 0, 1/1024, ..., 1 the one
            that is best for themselves, by their mean Dice inside the roi. No other file ever knows it.

    Raises:
        StudyError: if a prediction is missing or differs in size from the mask, or a mask from its roi; if the
            policies are not those of the number of classes; if no test image has the foreground that `oracle` needs.
    """
    root, labels = Path(images.root), images.labels
    if labels.several != (list(thresholds) == [ARGMAX]):
        raise StudyError(
            f"thresholds of {', '.join(thresholds)} do not fit a data set of {len(labels.names)} classes",
            allowed=f"'{ARGMAX}' alone for several foreground classes, and not for one",
            remedy="the predictions were made with other classes: run the cell's 'predict' again",
        )
    read = partial(_read, folder=Path(masks if labels.several else probabilities), root=root, labels=labels)
    rows = images.rows()
    best = {ORACLE: best_of(dice_curve(_test_pairs(rows, read)))} if oracle and not labels.several else {}

    def count(row: Row) -> tuple[list[Line], list[Line]]:
        prediction, truth = read(row)
        key = {"sample": row["sample"], "subset": row["subset"]}
        levels = {}
        if "scores" in measures.names and not labels.several:
            levels = {region: histograms(prediction, truth.mask, inside) for region, inside in regions(truth).items()}
        scored = {region: scores(counted)._asdict() for region, counted in levels.items()}
        shapes: Shapes = {}
        lines = []
        for policy, threshold in (dict(thresholds) | (best if row["subset"] == "test" else {})).items():
            ids = prediction if threshold is None else binarise(prediction, threshold)
            line_key = key | {"policy": policy, "threshold": math.nan if threshold is None else threshold}
            counted_lines = counts_of(line_key, ids, truth, labels, measures, shapes)
            lines += [line | scored.get(line["region"], {}) for line in counted_lines]
        return lines, [{**key, "region": region, "pixels": coarse(counted)} for region, counted in levels.items()]

    results = list(in_threads(count, rows, threads, "measured"))
    lines = [line for of_image, _ in results for line in of_image]
    return Measured(
        pd.DataFrame(lines, columns=[*COLUMNS, *measures.columns]),
        _joined([line for _, of_image in results for line in of_image]),
    )


def _read(row: Row, folder: Path, root: Path, labels: Labels) -> tuple[np.ndarray, Truth]:
    """Return the prediction of an image (class ids or probabilities) and its truth, of one size."""
    path = folder / f"{row['sample']}.png"
    if not path.exists():
        raise StudyError(
            f"no prediction of sample {row['sample']}",
            where=path,
            remedy="delete the cell's probabilities and run the same command again",
        )
    prediction = read_classes(path, len(labels.names)) if labels.several else read_probability(path)
    truth = truth_of(row, root, labels)
    check_same_size(prediction, truth.ids, path, root / row["mask"])
    return prediction, truth


def _test_pairs(
    rows: Sequence[Row], read: Callable[[Row], tuple[np.ndarray, Truth]]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield probability, mask and counted pixels of each test image."""
    for row in rows:
        if row["subset"] == "test":
            probability, truth = read(row)
            yield probability, truth.mask, truth.inside


def _joined(histogram_lines: Sequence[Line]) -> dict[str, np.ndarray]:
    """Return the arrays of histograms.npz from a line for each sample and region."""
    pixels = np.array([line["pixels"] for line in histogram_lines], np.int64).reshape(-1, 2, COARSE)
    names = {name: np.array([line[name] for line in histogram_lines], str) for name in ("sample", "subset", "region")}
    return names | {"positives": pixels[:, 0], "negatives": pixels[:, 1]}


def counts_of(
    key: Row,
    prediction: np.ndarray,
    truth: Truth,
    labels: Labels,
    measures: Measures = PIXELS_ALONE,
    shapes: Shapes | None = None,
) -> Iterator[Line]:
    """Measure one prediction in region `full`, and in `roi` where there is one; `key` opens each line.

    Args:
        key: what names the line beside class and region.
        prediction: class ids (H, W), or bool where there is one foreground class.
        truth: of the same size.
        labels: of the data set: a line for each class of its `evaluated_classes`.
        measures: what is measured beside counts of pixels.
        shapes: those of this truth that were made before, for other predictions; filled here.
    """
    shapes = {} if shapes is None else shapes
    for number, name in evaluated_classes(labels):
        predicted, wanted = prediction == number, truth.ids == number
        shape_values: dict[tuple[int, int, int], Line] = {}
        for region, inside in regions(truth).items():
            counts = confusion(predicted, wanted, inside)
            # A region's masks are parts of those of the full frame: as many pixels are the same pixels.
            if measures.names and counts[:3] not in shape_values:
                cut, true = (mask if inside is None else mask & inside for mask in (predicted, wanted))
                if (number, region) not in shapes:
                    shapes[number, region] = shape_of(true, measures.names)
                shape_values[counts[:3]] = compared(shape_of(cut, measures.names), shapes[number, region], measures)
            yield {**key, "class": name, "region": region, **counts._asdict(), **shape_values.get(counts[:3], {})}


def regions(truth: Truth) -> dict[str, np.ndarray | None]:
    """Return the regions in which an image is measured; None counts every pixel."""
    return {name: truth.counted(name) for name in (("full",) if truth.roi is None else ("full", "roi"))}
