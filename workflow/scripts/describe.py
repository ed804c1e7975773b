"""Decode every file of a data set once and describe it."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.layout import Layout
    from segstudy.core.files import read_csv
    from segstudy.data.card import describe
    from segstudy.data.readers.registry import labels_of

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
        balances=snakemake.params.balances,
    )
