"""What a prediction reads and writes, unpacked from Snakemake."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from segstudy.config.datasets import Prediction
from segstudy.config.evaluation import Evaluation
from segstudy.data.ground_truth import LabelledImages
from segstudy.data.job_images import own_images


@dataclass(frozen=True)
class PredictionInputs(LabelledImages):
    """The images of a data set that are predicted, and how thresholds are chosen."""

    evaluation: Evaluation


class PredictionOutputs(NamedTuple):
    """The files that a prediction writes."""

    probabilities: Path  # folder of <sample>.png
    masks: Path  # folder of <sample>.png
    thresholds: Path  # JSON: policy -> threshold


def prediction_inputs(snakemake: Any) -> PredictionInputs:
    """Return the inputs of a prediction from the `snakemake` of its script."""
    evaluation = Evaluation.model_validate(snakemake.params.evaluation)
    return PredictionInputs(**vars(own_images(snakemake)), evaluation=evaluation)


def prediction_outputs(snakemake: Any) -> PredictionOutputs:
    """Return the outputs of a prediction from the `snakemake` of its script."""
    return PredictionOutputs(*(Path(snakemake.output[name]) for name in PredictionOutputs._fields))


def network_options(snakemake: Any) -> dict[str, Any]:
    """Return `tile`, `overlap` and `network_name` from the `snakemake` of a script that predicts."""
    prediction = Prediction.model_validate(snakemake.params.prediction)
    return {"tile": prediction.tile, "overlap": prediction.overlap, "network_name": snakemake.params.network}
