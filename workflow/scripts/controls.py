"""Count what a row without training gets right and wrong."""

from segstudy.jobs import job

with job(snakemake):
    from pathlib import Path

    from segstudy.controls import measure_controls
    from segstudy.datasets import labels_of
    from segstudy.files import read_csv, write_csv
    from segstudy.mask_shapes import Measures

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
