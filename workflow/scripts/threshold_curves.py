"""Draw Dice over the threshold of one experiment."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.figures.threshold_curves import draw_threshold_curves
    from segstudy.tables.inputs import figure_inputs

    draw_threshold_curves(figure_inputs(snakemake), snakemake.input.histograms)
