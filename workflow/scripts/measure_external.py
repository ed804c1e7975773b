"""Predict an external test set and count what one cell gets right and wrong there."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.core.files import read_csv
    from segstudy.data.job_images import external_images
    from segstudy.inference.external import predict_external, seen_as
    from segstudy.inference.external_counts import chosen_thresholds, folders, write_counts

    images, params = external_images(snakemake), snakemake.params
    thresholds, threshold = chosen_thresholds(snakemake, images.labels.several)
    predict_external(
        Path(snakemake.input.model),
        images,
        seen_as(read_csv(snakemake.input.trained_on), params.seen_as),
        folders(snakemake),
        threshold,
        flips=params.flips,
        network_name=params.network,
    )
    write_counts(snakemake, images, thresholds)
