"""Draw where the networks of one experiment fail."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.figures.failures import draw_failures
    from segstudy.tables.inputs import figure_inputs

    indexes = dict(zip(snakemake.params.datasets, snakemake.input.indexes, strict=True))
    draw_failures(figure_inputs(snakemake), snakemake.input.histograms, indexes)
