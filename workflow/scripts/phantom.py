"""Draw a stand-in data set in its official layout."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.datasets import Phantom
    from segstudy.data.phantoms.draw import draw

    draw(
        snakemake.params.reader,
        Path(snakemake.output.manifest).parent,
        Phantom.model_validate(snakemake.params.phantom),
    )
