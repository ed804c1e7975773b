"""Count the pixels of every prediction against the truth, at the original resolution of the mask."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segstudy.errors import StudyError
from segstudy.labels import Labels
from segstudy.metrics import COUNTS, confusion
from segstudy.probabilities import read_probability
from segstudy.thresholds import binarise
from segstudy.truth import Row, Truth, fits, in_threads, labelled, only_class, truth_of

COLUMNS = ["sample", "subset", "class", "region", "policy", "threshold", *COUNTS]


def measure(
    probabilities: Path,
    thresholds: Mapping[str, float],
    index: pd.DataFrame,
    split: pd.DataFrame,
    root: Path,
    labels: Labels,
    threads: int = 1,
) -> pd.DataFrame:
    """Return counts.csv of one cell: every labelled image, in both regions, at every policy's threshold.

    Args:
        probabilities: folder with `<sample>.png`, 16 bit, original size.
        thresholds: policy -> threshold; rows follow its order.
        index: index.csv.
        split: the cell's split; only train, val and test images that have a mask are measured.
        root: folder of the raw data.
        labels: of the data set; exactly one foreground class.
        threads: images measured at a time.

    Raises:
        StudyError: if a probability map is missing or differs in size from the mask, or a mask from its roi.
    """
    name = only_class(labels.foreground)

    def count(row: Row) -> list[dict[str, Any]]:
        path = Path(probabilities) / f"{row['sample']}.png"
        if not path.exists():
            raise StudyError(
                f"no probability map of sample {row['sample']}",
                where=path,
                remedy="delete the cell's probabilities and run the same command again",
            )
        probability, truth = read_probability(path), truth_of(row, root, labels)
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


def counts_of(key: Row, prediction: np.ndarray, truth: Truth) -> list[dict[str, Any]]:
    """Count one prediction bool (H, W) in region `full`, and in `roi` where there is one; `key` opens each line."""
    regions = {"full": None} if truth.roi is None else {"full": None, "roi": truth.roi}
    return [
        {**key, "region": region, **confusion(prediction, truth.mask, inside)._asdict()}
        for region, inside in regions.items()
    ]
