"""Count what a row without training gets right and wrong."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.core.files import read_csv, write_csv
    from segstudy.data.readers.registry import labels_of
    from segstudy.evaluation.controls import measure_controls
    from segstudy.evaluation.shape_metrics import Measures

    names, tolerance = snakemake.params.measures
    counts = measure_controls(
        read_csv(snakemake.input.index),
        read_csv(snakemake.input.split),
        Path(snakemake.params.root),
        labels_of(snakemake.params.reader, **snakemake.params.labels),
        seed=int(snakemake.wildcards.seed),
        names=snakemake.params.controls,
        measures=Measures(tuple(names), tolerance),
        threads=snakemake.threads,
    )
    write_csv(snakemake.output.counts, counts)
