"""Compare every two rows of one experiment image by image: its tables."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.tables.inputs import table_inputs
    from segstudy.tables.pairwise import compare_pairs

    compare_pairs(table_inputs(snakemake), snakemake.params.metric)
