"""Compare every two rows of one experiment image by image: its tables."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.tables.inputs import gain_inputs, table_inputs
    from segstudy.tables.pairwise import compare_pairs

    compare_pairs(**table_inputs(snakemake), metric=snakemake.params.metric, gains=gain_inputs(snakemake))
