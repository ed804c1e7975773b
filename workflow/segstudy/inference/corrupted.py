"""Predict and count the test images of a cell's own data set, corrupted: how much a trained network stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.core.progress import track
from segstudy.data.ground_truth import LabelledImages, Row, Truth, truth_of
from segstudy.data.images.corrupt import corrupted
from segstudy.data.images.geometry import Geometry, to_canvas, to_original
from segstudy.data.images.label_map import Labels
from segstudy.data.images.prediction_files import STEPS
from segstudy.data.store import in_colour
from segstudy.evaluation.measure import counts_of
from segstudy.evaluation.metrics import COLUMNS
from segstudy.evaluation.thresholds import binarise
from segstudy.inference.external import SeenAs, check_fits, read_placed
from segstudy.inference.new_images import predict_image
from segstudy.inference.predict import most_probable

if TYPE_CHECKING:
    import torch

LEVEL = ["corruption", "strength"]
Levels = Sequence[tuple[str, float]]


def measure_corrupted(
    model: Path,
    images: LabelledImages,
    seen: SeenAs,
    levels: Levels,
    policy: str,
    threshold: float | None,
    network_name: str = "",
) -> pd.DataFrame:
    """Measure a cell on corrupted test images; nothing but the counts is kept.

    The raw image is corrupted before it is resized, and predicted as the study predicts; see `corrupted`.

    Args:
        model: model.safetensors of the cell.
        images: by the cell's split; its test images are measured.
        seen: how the network sees images.
        levels: (kind, strength).
        policy: of the threshold.
        threshold: of the cell's headline policy; None of several classes.
        network_name: see `model_checks.check_network`.

    Returns:
        The columns of counts.csv that count pixels, and LEVEL in front.

    Raises:
        StudyError: there is no test image, or the model has other channels or classes.
    """
    from segstudy.models.model_file import load_model
    from segstudy.runtime.device import choose_device
    from segstudy.runtime.memory import keep_freed_memory

    keep_freed_memory()
    root, labels = images.root, images.labels
    test = [row for row in images.rows() if row["subset"] == "test"]
    if not test:
        raise StudyError("the split has no test image with a mask, so there is nothing to corrupt", where=root)
    device = choose_device()
    trained, meta = load_model(model, device, named=network_name)
    check_fits(meta, seen, labels, model)
    key = {"policy": policy, "threshold": np.nan if threshold is None else threshold}
    lines: list[dict[str, Any]] = []
    for row in track(test, "corrupted images", total=len(test)):
        truth = truth_of(row, root, labels)
        for level, canvas, geometry in _predicted(trained, row, root, seen, levels, meta["normalisation"], device):
            ids = _mask(canvas, geometry, truth, labels, threshold)
            fixed = {"sample": row["sample"], "subset": "test", **dict(zip(LEVEL, level, strict=True)), **key}
            lines += counts_of(fixed, ids, truth, labels)
    return pd.DataFrame(lines, columns=[*LEVEL, *COLUMNS])


def _predicted(
    model: torch.nn.Module, row: Row, root: Path, seen: SeenAs, levels: Levels, scaling: Any, device: torch.device
) -> Iterator[tuple[tuple[str, float], np.ndarray, Geometry]]:
    """Yield each level with the probabilities (K, H, W) of the corrupted image on its canvas."""
    image, canvas, geometry, lies = read_placed(row, root, seen)
    for level in levels:
        changed = in_colour(corrupted(image, *level, name=str(row["sample"])), seen.colour)
        pixels = to_canvas(changed, lies, canvas, "image")
        yield level, predict_image(model, pixels, scaling, device, seen.canvas, *seen.tiles), geometry


def _mask(canvas: np.ndarray, geometry: Geometry, truth: Truth, labels: Labels, threshold: float | None) -> np.ndarray:
    """Return the mask at the original size, as the study makes it of stored probabilities; nothing outside the roi."""
    if threshold is None:
        return most_probable(canvas, geometry)[1] * truth.field
    probability = to_original(canvas[0], geometry) * truth.field
    stored = np.rint(probability.astype(np.float64) * STEPS).astype(np.float32) / np.float32(STEPS)
    return binarise(stored, threshold)
