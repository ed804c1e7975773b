"""Let a trained cell label the images of a data set."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.datasets import Prediction
    from segstudy.core.files import read_csv
    from segstudy.inference.pseudo_labels import label_images

    prediction = Prediction.model_validate(snakemake.params.prediction)
    label_images(
        Path(snakemake.input.model),
        Path(snakemake.input.store),
        read_csv(snakemake.input.split),
        read_csv(snakemake.input.index),
        Path(snakemake.params.root),
        {name: Path(path) for name, path in snakemake.output.items()},
        dataset=snakemake.wildcards.unlabelled,
        tile=prediction.tile,
        overlap=prediction.overlap,
        network=snakemake.params.network,
    )
