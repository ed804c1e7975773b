"""Draw the ranking of one experiment."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.figures.ranking import draw_ranking
    from segstudy.tables.inputs import figure_inputs

    draw_ranking(figure_inputs(snakemake), snakemake.params.metric)
