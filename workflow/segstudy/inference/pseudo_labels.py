"""Pseudo-labels: a teacher's probabilities, the targets made of them, and measures of both.

Torch is imported where it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segstudy.core import checksums, files
from segstudy.core.arrays import open_array
from segstudy.core.errors import StudyError
from segstudy.core.progress import track
from segstudy.data.ground_truth import Row, roi_of
from segstudy.data.images.geometry import Geometry, to_original
from segstudy.data.images.prediction_files import write_probability
from segstudy.data.split import LEARNABLE
from segstudy.data.store import Store, open_store
from segstudy.evaluation.thresholds import binarise
from segstudy.inference.masks import writing
from segstudy.inference.predict import predict_canvas
from segstudy.models.model_checks import check_told

MEASURES = ["sample", "white", "confidence", "roi_share"]


def label_images(
    model: Path,
    store: Path,
    split: pd.DataFrame,
    index: pd.DataFrame,
    root: Path,
    outputs: Mapping[str, Path],
    dataset: str,
    tile: tuple[int, int] | None = None,
    overlap: float | None = 0.5,
    network_name: str = "",
) -> None:
    """Let a teacher label the images of a data set; masks, where there are any, are not read.

    All images of the subsets train and unlabelled, one after the other: memory holds the canvases of one forward pass
    and a few images at their original size, however many there are. Outside the field of view, where there is one,
    nothing is predicted, as in `segstudy.inference.predict`.

    Args:
        model: the teacher's.
        store: of the data set to be labelled.
        split: CSV of it, as a table: sample, subset.
        index: of it, as a table.
        outputs: `probabilities` (folder of `<sample>.png`, 16 bit, at the image's original size), `targets` (.npy,
            uint8 (N, H, W): round(255 p) on the store's canvas and in its order, 0 outside what counts and for images
            that are not labelled), `measures` (CSV with the columns MEASURES: the share of pixels with p >= 0.5 and the
            mean of max(p, 1 - p), both at the original size inside the field of view; and the share of the image that
            this is, empty where the whole image counts).
        tile: (height, width) of the tiles in pixels of the canvas; None predicts the whole canvas at once.
        overlap: of tiles; None: side by side, without blending.
        network_name: that the study names for the teacher.

    Raises:
        StudyError: there is no image to label, or the teacher cannot label those of this store.
    """
    from segstudy.models.model_file import load_model
    from segstudy.runtime.device import choose_device

    rows = images_to_label(index, split, dataset)
    opened = open_store(store)
    device = choose_device()
    trained, meta = load_model(model, device, named=network_name)
    check_told(meta, model, "canvas")
    check_teacher(meta, opened, model, dataset, tile)
    positions = opened.rows(row["sample"] for row in rows)
    measures: dict[str, dict[str, Any]] = {}
    with (
        files.atomic_folder(outputs["probabilities"], sealed=True) as folder,
        files.atomic_path(outputs["targets"]) as temporary,
        open_array(temporary, opened.rois.shape) as targets,
    ):

        def write(row: Row, position: int, geometry: Geometry, canvas: np.ndarray) -> None:
            roi = roi_of(row, root)
            probability = to_original(canvas, geometry)
            if roi is not None:
                probability = probability * roi
            write_probability(folder / f"{row['sample']}.png", probability)
            targets.write(position, np.rint(canvas * (opened.rois[position] > 0) * 255).astype(np.uint8))
            measures[row["sample"]] = {"sample": row["sample"], **measured(probability, roi)}

        scaling = meta["normalisation"]
        predictions = predict_canvas(trained, opened.images, positions, scaling, device, tile=tile, overlap=overlap)
        with writing() as submit:
            triples = zip(rows, positions.tolist(), predictions, strict=True)
            for row, position, canvas in track(triples, f"label {dataset}", total=len(rows)):
                submit(write, row, position, opened.geometry_of(position), canvas[0])
    checksums.seal(outputs["targets"])
    table = pd.DataFrame([measures[row["sample"]] for row in rows], columns=MEASURES)
    files.write_csv(outputs["measures"], table)


def images_to_label(index: pd.DataFrame, split: pd.DataFrame, dataset: str) -> list[Row]:
    """Return the rows of the index that a teacher may label, in its order.

    Raises:
        StudyError: there are none.
    """
    subsets = dict(zip(split["sample"], split["subset"], strict=True))
    chosen = index[index["sample"].map(subsets).isin(LEARNABLE)]
    if chosen.empty:
        counts = split["subset"].value_counts()
        raise StudyError(
            f"data set '{dataset}' has no image to label",
            where=", ".join(f"{count} in subset {name}" for name, count in counts.items()) or "its split is empty",
            allowed="at least one image in subset train or unlabelled: what is measured on is not learned from",
            remedy="name another data set under 'unlabelled:', or give its split smaller shares of val and test",
        )
    return [{str(key): value for key, value in row.items()} for row in chosen.to_dict("records")]


def measured(probability: np.ndarray, roi: np.ndarray | None) -> dict[str, float]:
    """Return `white`, `confidence` and `roi_share` of a probability (H, W) at the original size; see `label_images`."""
    counts = probability.ravel() if roi is None else probability[roi]
    return {
        "white": round(float(binarise(counts, 0.5).mean()), 6),
        "confidence": round(float(np.maximum(counts, 1 - counts).mean(dtype=np.float64)), 6),
        "roi_share": float("nan") if roi is None else round(float(roi.mean()), 6),
    }


def check_teacher(meta: Mapping[str, Any], store: Store, model: Path, dataset: str, tile: object) -> None:
    """Check that a teacher can label the images of a store.

    Args:
        model: the teacher's file, for messages.
        tile: that the images are predicted in; None: whole.

    Raises:
        StudyError: it takes other channels, predicts several classes, or knows whole canvases of another size alone.
    """
    if meta["in_channels"] != store.meta["channels"]:
        raise StudyError(
            f"the teacher takes {meta['in_channels']} channels, the images of {dataset} have {store.meta['channels']}",
            where=model,
            remedy=f"give 'datasets.{dataset}' the 'colour:' of the data set that the teacher was trained on",
        )
    if meta["outputs"] != 1:
        raise StudyError(
            f"the teacher tells {meta['outputs']} classes apart; pseudo-labels have one foreground class",
            where=model,
            remedy="name a teacher that was trained on a data set with one foreground class",
        )
    learned, canvas = list(meta["canvas"]), list(store.images.shape[1:3])
    if not tile and not meta["settings"]["recipe"].get("crop") and learned != canvas:
        raise StudyError(
            f"the teacher was trained on whole images of {learned[0]}x{learned[1]} pixels (height x width); "
            f"those of {dataset} are {canvas[0]}x{canvas[1]}",
            where=model,
            allowed="the same canvas for both, a teacher that was trained on crops, or prediction by tiles",
            remedy=f"set 'datasets.{dataset}.size' to {{height: {learned[0]}, width: {learned[1]}}}, or "
            f"'datasets.{dataset}.prediction' to {{tile: [{learned[0]}, {learned[1]}]}}, or train the teacher with "
            "'crop:'",
        )
