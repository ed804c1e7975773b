"""List the images of a data set."""

from segstudy.jobs import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.layout import Layout
    from segstudy.datasets import build_index
    from segstudy.files import write_csv

    index = build_index(
        snakemake.params.reader,
        Path(snakemake.params.root),
        layout=Layout.model_validate(snakemake.params.layout),
        dataset=snakemake.wildcards.dataset,
        threads=snakemake.threads,
    )
    write_csv(snakemake.output.index, index)
