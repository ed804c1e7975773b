"""Average the predictions of the networks of several seeds."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.inference.ensemble import average_predictions
    from segstudy.inference.inputs import prediction_inputs, prediction_outputs

    average_predictions(
        [Path(folder) for folder in snakemake.input.members],
        prediction_inputs(snakemake),
        prediction_outputs(snakemake),
    )
