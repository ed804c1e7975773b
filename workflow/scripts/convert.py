"""Draw the masks of annotation files, and link the images."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.datasets import Layout
    from segstudy.data.convert import convert

    convert(
        snakemake.params.reader,
        Path(snakemake.params.root),
        Layout.model_validate(snakemake.params.layout),
        Path(snakemake.output.manifest).parent,
        snakemake.wildcards.dataset,
    )
