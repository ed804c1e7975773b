"""Predict every labelled image of one cell as the mean over its mirror images."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.datasets import Prediction
    from segstudy.config.evaluation import Evaluation
    from segstudy.core.files import read_csv
    from segstudy.data.readers.registry import labels_of
    from segstudy.inference.predict import predict_cell

    prediction = Prediction.model_validate(snakemake.params.prediction)
    predict_cell(
        Path(snakemake.input.model),
        Path(snakemake.input.store),
        read_csv(snakemake.input.split),
        read_csv(snakemake.input.index),
        Path(snakemake.params.root),
        Path(snakemake.output.probabilities),
        Path(snakemake.output.masks),
        Path(snakemake.output.thresholds),
        Evaluation.model_validate(snakemake.params.evaluation),
        labels_of(snakemake.params.reader, **snakemake.params.labels),
        flips=True,
        network=snakemake.params.network,
        tile=prediction.tile,
        overlap=prediction.overlap,
    )
