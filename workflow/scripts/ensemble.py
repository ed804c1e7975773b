"""Average the predictions of the networks of several seeds."""

from segstudy.jobs import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.evaluation import Evaluation
    from segstudy.datasets import labels_of
    from segstudy.ensembles import predict_together
    from segstudy.files import read_csv

    predict_together(
        [Path(folder) for folder in snakemake.input.members],
        read_csv(snakemake.input.split),
        read_csv(snakemake.input.index),
        Path(snakemake.params.root),
        Path(snakemake.output.probabilities),
        Path(snakemake.output.masks),
        Path(snakemake.output.thresholds),
        Evaluation.model_validate(snakemake.params.evaluation),
        labels_of(snakemake.params.reader, **snakemake.params.labels),
    )
