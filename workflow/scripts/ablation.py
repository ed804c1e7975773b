"""Draw the comparison of losses and networks of one experiment."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.figures.ablation import draw_ablation
    from segstudy.tables.inputs import figure_inputs

    draw_ablation(figure_inputs(snakemake), snakemake.params.metrics)
