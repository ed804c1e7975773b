"""Compare the cells of one experiment by class: its tables."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.class_scores import compare_classes
    from segstudy.table_inputs import table_inputs

    compare_classes(**table_inputs(snakemake))
