"""Write the study's report."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.report.page import write_report

    params = snakemake.params
    write_report(params.settings, params.results, params.roots, snakemake.output.html)
