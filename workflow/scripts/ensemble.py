"""Average the predictions of the networks of several seeds."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.evaluation import Evaluation
    from segstudy.core.files import read_csv
    from segstudy.data.readers.registry import labels_of
    from segstudy.inference.ensemble import predict_together

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
