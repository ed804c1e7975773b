"""Write the study's report."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.report.page import write_report

    params, html = snakemake.params, snakemake.output.html
    write_report(params.settings, Path(html).parent, params.roots, html)
