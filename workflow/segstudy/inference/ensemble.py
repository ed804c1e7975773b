"""Ensemble of several seeds: the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segstudy.core import files
from segstudy.core.errors import StudyError
from segstudy.core.progress import track
from segstudy.data.ground_truth import LabelledImages, Row
from segstudy.data.images.prediction_files import read_probability, write_probability
from segstudy.inference.inputs import PredictionInputs, PredictionOutputs
from segstudy.inference.masks import choose_thresholds, write_masks


def average_predictions(members: Sequence[Path], inputs: PredictionInputs, outputs: PredictionOutputs) -> None:
    """Average the stored probabilities of several cells, and choose thresholds of the mean's own.

    Writes what `segstudy.inference.predict.predict_cell` writes. For one foreground class: of several only the winner
    of each pixel is stored, and winners cannot be averaged.

    Args:
        members: folders of probabilities, of cells with the same split.
        inputs: of any of these cells.
        outputs: of the mean.

    Raises:
        StudyError: with several classes, or if a member lacks an image or has it at another size.
    """
    if inputs.labels.several:
        raise StudyError(
            "several classes cannot be put together: only the probability of each pixel's own class is stored",
            remedy="set evaluation.ensemble to false, or leave the data set out",
        )
    rows, evaluation = inputs.rows(), inputs.evaluation
    with (
        files.atomic_folder(outputs.probabilities, sealed=True) as probabilities,
        files.atomic_folder(outputs.masks, sealed=True) as masks,
    ):
        _write_means(rows, members, probabilities)
        thresholds = choose_thresholds(rows, inputs.root, probabilities, evaluation, inputs.labels)
        write_masks(rows, probabilities, masks, thresholds[evaluation.headline])
    files.write_json(outputs.thresholds, thresholds)


def average_external(
    members: Sequence[Path], images: LabelledImages, outputs: tuple[Path, Path], threshold: float | None
) -> None:
    """Average the stored probabilities of an external test set; the threshold is that of the ensemble at home.

    Args:
        members: folders of probabilities.
        outputs: folders of the probabilities and of the masks.
        threshold: of the ensemble's headline policy.

    Raises:
        StudyError: a member lacks an image or has it at another size.
    """
    rows = images.rows()
    with (
        files.atomic_folder(outputs[0], sealed=True) as probabilities,
        files.atomic_folder(outputs[1], sealed=True) as masks,
    ):
        _write_means(rows, members, probabilities)
        assert threshold is not None  # the config refuses ensembles of several classes
        write_masks(rows, probabilities, masks, threshold)


def _write_means(rows: Sequence[Row], members: Sequence[Path], folder: Path) -> None:
    for row in track(rows, "seeds together"):
        name = f"{row['sample']}.png"
        write_probability(folder / name, _mean([member / name for member in members]))


def _mean(paths: Sequence[Path]) -> np.ndarray:
    total = np.zeros(0)
    for number, path in enumerate(paths):
        if not path.exists():
            raise StudyError(
                "a network of the seeds has no prediction of this image", where=path, remedy="predict it again"
            )
        probability = read_probability(path).astype(np.float64)
        if number and probability.shape != total.shape:
            raise StudyError("predictions of one image differ in size", where=path, remedy="predict the cells again")
        total = total + probability if number else probability
    return total / len(paths)
