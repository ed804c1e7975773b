"""Count what one cell gets right and wrong on corrupted test images."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.core.files import read_csv, write_csv
    from segstudy.data.ground_truth import labelled
    from segstudy.data.readers.registry import labels_of
    from segstudy.evaluation.aggregate import ARGMAX
    from segstudy.evaluation.threshold_files import read_thresholds
    from segstudy.inference.corrupted import measure_corrupted
    from segstudy.inference.external import seen_as

    inputs, params = snakemake.input, snakemake.params
    index, labels = read_csv(inputs.index), labels_of(params.reader, **params.labels)
    policy = ARGMAX if labels.several else params.headline
    counts = measure_corrupted(
        Path(inputs.model),
        labelled(index, read_csv(inputs.split)),
        Path(params.root),
        labels,
        seen_as(index, params.seen_as),
        [tuple(level) for level in params.levels],
        policy,
        read_thresholds(inputs.thresholds, policy)[policy],
        network_name=params.network,
    )
    write_csv(snakemake.output.counts, counts)
