"""Predict every labelled image of one cell as the mean over its mirror images."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.inference.inputs import network_options, prediction_inputs, prediction_outputs
    from segstudy.inference.predict import predict_cell

    predict_cell(
        Path(snakemake.input.model),
        Path(snakemake.input.store),
        prediction_inputs(snakemake),
        prediction_outputs(snakemake),
        flips=True,
        **network_options(snakemake),
    )
