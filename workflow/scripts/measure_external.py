"""Predict an external test set and count what one cell gets right and wrong there."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.core.arrays import write_arrays
    from segstudy.core.files import read_csv, write_csv
    from segstudy.data.external_split import all_test
    from segstudy.data.ground_truth import labelled
    from segstudy.data.readers.registry import labels_of
    from segstudy.evaluation.measure import measure
    from segstudy.evaluation.shape_metrics import Measures
    from segstudy.evaluation.threshold_files import read_thresholds
    from segstudy.inference.external import predict_external, seen_as

    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    index, root, labels = read_csv(inputs.index), Path(params.root), labels_of(params.reader, **params.labels)
    folders = Path(outputs.probabilities), Path(outputs.masks)
    headline = "" if labels.several else params.headline
    thresholds, split = read_thresholds(inputs.thresholds, headline), all_test(index)
    predict_external(
        Path(inputs.model),
        labelled(index, split),
        root,
        labels,
        seen_as(read_csv(inputs.trained_on), params.seen_as),
        folders,
        thresholds.get(headline),
        network_name=params.network,
    )
    names, tolerance = params.measures
    counts, histograms = measure(
        *folders,
        thresholds,
        index,
        split,
        root,
        labels,
        measures=Measures(tuple(names), tolerance),
        threads=snakemake.threads,
        oracle=params.oracle,
    )
    write_csv(outputs.counts, counts)
    write_arrays(outputs.histograms, histograms)
