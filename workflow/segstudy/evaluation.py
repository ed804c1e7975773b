"""Count the pixels of every prediction against the truth, at the original resolution of the mask.

Of several classes each one is counted against all others, the background being one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segstudy.errors import StudyError
from segstudy.labels import Labels
from segstudy.metrics import ARGMAX, COUNTS, confusion
from segstudy.probabilities import read_classes, read_probability
from segstudy.thresholds import binarise
from segstudy.truth import Row, Truth, counted, fits, in_threads, labelled, truth_of

COLUMNS = ["sample", "subset", "class", "region", "policy", "threshold", *COUNTS]


def measure(
    probabilities: Path,
    masks: Path,
    thresholds: Mapping[str, float | None],
    index: pd.DataFrame,
    split: pd.DataFrame,
    root: Path,
    labels: Labels,
    threads: int = 1,
) -> pd.DataFrame:
    """Return counts.csv of one cell: every labelled image, class and region, at every policy's threshold.

    Args:
        probabilities: folder with `<sample>.png`, 16 bit, original size; read where there is one foreground class.
        masks: folder with `<sample>.png`, class ids, original size; read where there are several.
        thresholds: policy -> threshold; rows follow its order. None for `argmax`, the policy of several classes.
        index: index.csv.
        split: the cell's split; only train, val and test images that have a mask are measured.
        root: folder of the raw data.
        labels: of the data set.
        threads: images measured at a time.

    Raises:
        StudyError: if a prediction is missing or differs in size from the mask, or a mask from its roi; if the
            policies are not those of the number of classes.
    """
    if labels.several != (list(thresholds) == [ARGMAX]):
        raise StudyError(
            f"thresholds of {', '.join(thresholds)} do not fit a data set of {len(labels.names)} classes",
            allowed=f"'{ARGMAX}' alone for several foreground classes, and not for one",
            remedy="the predictions were made with other classes: run the cell's 'predict' again",
        )
    folder = Path(masks if labels.several else probabilities)

    def count(row: Row) -> list[dict[str, Any]]:
        path = folder / f"{row['sample']}.png"
        if not path.exists():
            raise StudyError(
                f"no prediction of sample {row['sample']}",
                where=path,
                remedy="delete the cell's probabilities and run the same command again",
            )
        prediction = read_classes(path, len(labels.names)) if labels.several else read_probability(path)
        truth = truth_of(row, root, labels)
        fits(prediction, truth.ids, path, Path(root) / row["mask"])
        key = {"sample": row["sample"], "subset": row["subset"]}
        lines: list[dict[str, Any]] = []
        for policy, threshold in thresholds.items():
            ids = prediction if threshold is None else binarise(prediction, threshold)
            named = key | {"policy": policy, "threshold": math.nan if threshold is None else threshold}
            lines += counts_of(named, ids, truth, labels)
        return lines

    rows = labelled(index, split)
    lines = [line for lines in in_threads(count, rows, threads, "measured") for line in lines]
    return pd.DataFrame(lines, columns=COLUMNS)


def counts_of(key: Row, prediction: np.ndarray, truth: Truth, labels: Labels) -> Iterator[dict[str, Any]]:
    """Count one prediction in region `full`, and in `roi` where there is one; `key` opens each line.

    Args:
        key: what names the line beside class and region.
        prediction: class ids (H, W), or bool where there is one foreground class.
        truth: of the same size.
        labels: of the data set: a line for each class that is counted (see `segstudy.truth.counted`).
    """
    regions = {"full": None} if truth.roi is None else {"full": None, "roi": truth.roi}
    for number, name in counted(labels):
        found, wanted = prediction == number, truth.ids == number
        for region, inside in regions.items():
            yield {**key, "class": name, "region": region, **confusion(found, wanted, inside)._asdict()}
