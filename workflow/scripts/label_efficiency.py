"""Draw the score of each approach against the share of the labels, and write the numbers."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.figures.label_efficiency import Share, draw_label_efficiency
    from segstudy.tables.inputs import figure_inputs

    params = snakemake.params
    shares = [Share(*share) for share in params.shares]
    draw_label_efficiency(figure_inputs(snakemake), list(snakemake.input.runs), shares, params.metric)
