"""Draw the masks of annotation files, and link the images."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.layout import Layout
    from segstudy.data.convert import convert
    from segstudy.data.readers.registry import labels_of

    convert(
        snakemake.params.reader,
        Path(snakemake.params.root),
        Layout.model_validate(snakemake.params.layout),
        Path(snakemake.output.manifest).parent,
        snakemake.wildcards.dataset,
        snakemake.params.truth,
        labels_of(snakemake.params.reader, **snakemake.params.labels),
    )
