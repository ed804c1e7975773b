"""Predict every labelled image of one cell at its original size."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.datasets import Prediction
    from segstudy.config.evaluation import Evaluation
    from segstudy.core.files import read_csv, write_json
    from segstudy.data.readers.registry import labels_of
    from segstudy.inference.predict import predict_cell
    from segstudy.inference.preprocessing import usage_record

    prediction = Prediction.model_validate(snakemake.params.prediction)
    evaluation = Evaluation.model_validate(snakemake.params.evaluation)
    labels = labels_of(snakemake.params.reader, **snakemake.params.labels)
    store, split, index = Path(snakemake.input.store), read_csv(snakemake.input.split), read_csv(snakemake.input.index)
    predict_cell(
        Path(snakemake.input.model),
        store,
        split,
        index,
        Path(snakemake.params.root),
        Path(snakemake.output.probabilities),
        Path(snakemake.output.masks),
        Path(snakemake.output.thresholds),
        evaluation,
        labels,
        flips=False,
        tile=prediction.tile,
        overlap=prediction.overlap,
        network=snakemake.params.network,
    )
    record = usage_record(store, split, index, evaluation, labels, prediction, snakemake.params.phantom)
    write_json(snakemake.output.usage, record)
