"""Let a trained cell label the images of a data set."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.core.files import read_csv
    from segstudy.inference.inputs import network_options
    from segstudy.inference.pseudo_labels import label_images

    label_images(
        Path(snakemake.input.model),
        Path(snakemake.input.store),
        read_csv(snakemake.input.split),
        read_csv(snakemake.input.index),
        Path(snakemake.params.root),
        {name: Path(path) for name, path in snakemake.output.items()},
        dataset=snakemake.wildcards.unlabelled,
        **network_options(snakemake),
    )
