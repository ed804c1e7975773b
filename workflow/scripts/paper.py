"""Gather a study's tables and figures for LaTeX."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.report import latex

    params, given = snakemake.params, snakemake.input
    latex.gather(
        params.study,
        [
            *latex.data_section(given.cards, given.splits, params.metrics, params.datasets),
            latex.network_section(given.layers, given.sketches),
            *latex.experiment_sections(params.questions, given.tables, given.figures, params.phantoms),
            *latex.picture_sections(given.pictures, params.drawn),
        ],
        snakemake.output.folder,
    )
