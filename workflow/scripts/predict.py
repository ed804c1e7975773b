"""Predict every labelled image of one cell at its original size."""

from segstudy.jobs import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.datasets import Prediction
    from segstudy.config.study import Evaluation
    from segstudy.datasets import labels_of
    from segstudy.files import read_csv, write_json
    from segstudy.inference import predict_cell
    from segstudy.usage import usage_record

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
        flips=snakemake.params.flips,
        tile=prediction.tile,
        overlap=prediction.overlap,
        network=snakemake.params.network,
    )
    if not snakemake.params.flips:
        record = usage_record(store, split, index, evaluation, labels, prediction, snakemake.params.phantom)
        write_json(snakemake.output.usage, record)
