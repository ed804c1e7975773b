"""Gather a study's tables and figures for LaTeX."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.report.latex import gather

    params, given = snakemake.params, snakemake.input
    gather(params.study, params.questions, given.tables, given.figures, params.phantoms, snakemake.output.folder)
