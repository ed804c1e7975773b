"""Predict every labelled image of one cell at its original size."""

from segstudy.jobs import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.datasets import Prediction
    from segstudy.config.study import Evaluation
    from segstudy.datasets import labels_of
    from segstudy.files import read_csv
    from segstudy.inference import predict_cell

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
        flips=snakemake.params.flips,
        tile=prediction.tile,
        overlap=prediction.overlap,
    )
