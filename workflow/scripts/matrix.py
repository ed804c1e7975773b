"""Draw the networks of one experiment on every test set."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.core.files import read_csv
    from segstudy.figures.matrix import draw_matrix

    draw_matrix(read_csv(snakemake.input.table), snakemake.wildcards.experiment, dict(snakemake.output.items()))
