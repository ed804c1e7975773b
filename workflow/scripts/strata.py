"""Compare the cells of one experiment by stratum: its tables."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.tables.by_group import compare_strata
    from segstudy.tables.inputs import table_inputs

    compare_strata(table_inputs(snakemake), dict(zip(snakemake.params.datasets, snakemake.input.indexes, strict=True)))
