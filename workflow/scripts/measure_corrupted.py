"""Count what one cell gets right and wrong on corrupted test images."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.core.files import write_csv
    from segstudy.data.job_images import own_images
    from segstudy.evaluation.aggregate import ARGMAX
    from segstudy.evaluation.threshold_files import read_thresholds
    from segstudy.inference.corrupted import measure_corrupted
    from segstudy.inference.external import seen_as

    inputs, params, images = snakemake.input, snakemake.params, own_images(snakemake)
    policy = ARGMAX if images.labels.several else params.headline
    counts = measure_corrupted(
        Path(inputs.model),
        images,
        seen_as(images.index, params.seen_as),
        [tuple(level) for level in params.levels],
        policy,
        read_thresholds(inputs.thresholds, policy)[policy],
        network_name=params.network,
    )
    write_csv(snakemake.output.counts, counts)
