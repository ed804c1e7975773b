"""Measure what a denoising cell removes, and draw it."""

from pathlib import Path

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.figures.denoised import measure_denoising

    measure_denoising(
        Path(snakemake.input.model),
        Path(snakemake.input.store),
        Path(snakemake.input.split),
        Path(snakemake.input.index),
        {name: Path(path) for name, path in snakemake.output.items()},
        title=snakemake.params.title,
        phantom=snakemake.params.phantom,
        network_name=snakemake.params.network,
    )
