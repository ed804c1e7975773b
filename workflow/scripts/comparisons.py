"""Compare every two rows of one experiment image by image: its tables."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.comparisons import compare_pairs
    from segstudy.table_inputs import gain_inputs, table_inputs

    compare_pairs(**table_inputs(snakemake), metric=snakemake.params.metric, gains=gain_inputs(snakemake))
