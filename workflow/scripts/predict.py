"""Predict every labelled image of one cell at its original size."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.datasets import Prediction
    from segstudy.core.files import write_json
    from segstudy.inference.inputs import network_options, prediction_inputs, prediction_outputs
    from segstudy.inference.predict import predict_cell
    from segstudy.inference.preprocessing import usage_record

    inputs = prediction_inputs(snakemake)
    model, store = Path(snakemake.input.model), Path(snakemake.input.store)
    predict_cell(model, store, inputs, prediction_outputs(snakemake), **network_options(snakemake))
    prediction = Prediction.model_validate(snakemake.params.prediction)
    write_json(snakemake.output.usage, usage_record(store, inputs, prediction, snakemake.params.phantom))
