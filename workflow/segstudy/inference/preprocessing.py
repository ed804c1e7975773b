"""Record the preprocessing of a cell, so that its network can be used on other images: `usage.json`.

It holds the canvas, the tiles, the headline threshold and a summary of the training images. None of it changes the
training, so it is written when the cell is predicted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from segstudy.config.datasets import Prediction
from segstudy.data.images.geometry import Geometry
from segstudy.data.store import Store, open_store
from segstudy.evaluation.aggregate import ARGMAX
from segstudy.inference import out_of_distribution
from segstudy.inference.inputs import PredictionInputs
from segstudy.inference.predict import PIXELS_PER_PASS

SEEN = 500  # training images whose looks are summed up; of more every so many-th


def usage_record(store: Path, inputs: PredictionInputs, prediction: Prediction, phantom: bool) -> dict[str, Any]:
    """Return the content of usage.json as plain values.

    Args:
        inputs: of the cell's prediction.
        prediction: in which tiles the cell was predicted.
    """
    opened, rows, labels = open_store(store), inputs.rows(), inputs.labels
    height, width = opened.meta["canvas"]
    train = opened.rows(row["sample"] for row in rows if row["subset"] == "train")
    return {
        "reader": opened.meta["reader"],
        "phantom": phantom,
        "classes": list(labels.names),
        "colours": [list(colour) for colour in labels.colours],
        "colour": opened.meta["colour"],
        "size": opened.meta["size"],
        "canvas": [height, width],
        "tile": list(prediction.tile) if prediction.tile else None,
        "overlap": prediction.overlap,
        # Sums of floats depend on how many images a pass holds, in the last bits: as many make the same bytes.
        "images_per_pass": min(len(rows), max(1, PIXELS_PER_PASS // (height * width))),
        "headline": ARGMAX if labels.several else inputs.evaluation.headline,
        "field_of_view": bool((inputs.index["roi"] != "").any()),
        "subsets": {name: sum(row["subset"] == name for row in rows) for name in ("train", "val", "test")},
        **({"reading": opened.meta["reading"]} if "reading" in opened.meta else {}),
        "training_images": out_of_distribution.summary(_looks(opened, train), opened.meta["colour"]),
    }


def _looks(store: Store, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Geometry]]:
    for row in rows[:: max(1, -(-len(rows) // SEEN))]:
        geometry = store.geometry_of(int(row))
        yield np.asarray(store.images[int(row)][geometry.rectangle]), geometry
