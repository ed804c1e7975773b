"""Resize a data set once, into the store."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.datasets import DatasetConfig
    from segstudy.core.files import read_csv
    from segstudy.data.readers.registry import labels_of
    from segstudy.data.store import build_store

    name = snakemake.params.reader
    layout = DatasetConfig.model_validate({"reader": name, **snakemake.params.layout})
    build_store(
        read_csv(snakemake.input.index),
        Path(snakemake.params.root),
        Path(snakemake.output.store),
        size=layout.size,
        colour=layout.colour,
        reader=name,
        labels=labels_of(name, **snakemake.params.labels),
        threads=snakemake.threads,
    )
