"""Fetch the weights of an encoder, or take those that are there."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.models.encoder_files import obtain

    obtain(
        snakemake.wildcards.encoder,
        Path(snakemake.input.prepared) if snakemake.input.prepared else None,
        Path(snakemake.output.weights),
    )
