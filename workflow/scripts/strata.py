"""Compare the cells of one experiment by stratum: its tables."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.strata import compare_strata
    from segstudy.table_inputs import table_inputs

    indexes = dict(zip(snakemake.params.datasets, snakemake.input.indexes, strict=True))
    compare_strata(**table_inputs(snakemake), indexes=indexes)
