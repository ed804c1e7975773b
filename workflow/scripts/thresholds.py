"""Compare the thresholds of one experiment: its tables by policy."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.tables.inputs import table_inputs
    from segstudy.tables.thresholds import compare_policies

    params = snakemake.params
    compare_policies(table_inputs(snakemake), params.metrics, params.tolerance, params.metric)
