"""Gather a study's tables and figures for LaTeX."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.report import latex

    params, inputs = snakemake.params, snakemake.input
    latex.gather(
        params.study,
        [
            *latex.data_section(inputs.cards, inputs.splits, params.metrics, params.datasets),
            latex.network_section(inputs.layers, inputs.sketches),
            *latex.experiment_sections(params.questions, inputs.tables, inputs.figures, params.phantoms),
            *latex.picture_sections(inputs.pictures, params.drawn),
        ],
        snakemake.output.folder,
    )
