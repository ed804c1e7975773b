"""Compare the cells of one experiment: its tables."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.tables.inputs import table_inputs
    from segstudy.tables.results import compare

    params = snakemake.params
    compare(table_inputs(snakemake), list(snakemake.input.runs), params.metrics, params.tolerance)
