"""Compare the cells of one experiment by class: its tables."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.tables.by_group import compare_classes
    from segstudy.tables.inputs import table_inputs

    compare_classes(table_inputs(snakemake))
