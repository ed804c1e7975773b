"""Check every image and mask of a data set."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.datasets import DeclaredException
    from segstudy.core.files import read_csv, write_json
    from segstudy.data.checks.image_checks import check_images
    from segstudy.data.readers.registry import labels_of

    result = check_images(
        read_csv(snakemake.input.samples),
        read_csv(snakemake.input.index),
        [DeclaredException.model_validate(item) for item in snakemake.params.exceptions],
        labels=labels_of(snakemake.params.reader, **snakemake.params.labels),
        dataset=snakemake.wildcards.dataset,
    )
    write_json(snakemake.output.checked, result)
