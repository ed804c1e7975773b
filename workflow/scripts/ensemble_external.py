"""Average the predictions of an external test set by the networks of several seeds, and count."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.data.job_images import external_images
    from segstudy.inference.ensemble import average_external
    from segstudy.inference.external_counts import chosen_thresholds, folders, write_counts

    images = external_images(snakemake)
    thresholds, threshold = chosen_thresholds(snakemake, images.labels.several)
    average_external([Path(folder) for folder in snakemake.input.members], images, folders(snakemake), threshold)
    write_counts(snakemake, images, thresholds)
