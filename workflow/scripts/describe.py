"""Decode every file of a data set once and describe it."""

from segstudy.jobs import job

with job(snakemake):
    from pathlib import Path

    from segstudy.cards import describe
    from segstudy.config.layout import Layout
    from segstudy.datasets import labels_of
    from segstudy.files import read_csv

    describe(
        read_csv(snakemake.input.index),
        Path(snakemake.params.root),
        snakemake.params.reader,
        labels_of(snakemake.params.reader, **snakemake.params.labels),
        snakemake.wildcards.dataset,
        Path(snakemake.output.samples).parent,
        phantom=snakemake.params.phantom,
        threads=snakemake.threads,
        layout=Layout.model_validate(snakemake.params.layout),
    )
