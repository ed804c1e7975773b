"""Count what one cell got right and wrong."""

from segstudy.runtime.job import job

with job(snakemake, remove=snakemake.params.published):
    from pathlib import Path

    from segstudy.core.arrays import write_arrays
    from segstudy.core.files import write_csv
    from segstudy.data.job_images import own_images
    from segstudy.evaluation.measure import measure
    from segstudy.evaluation.shape_metrics import Measures
    from segstudy.evaluation.threshold_files import read_thresholds

    names, tolerance = snakemake.params.measures
    counts, histograms = measure(
        Path(snakemake.input.probabilities),
        Path(snakemake.input.masks),
        read_thresholds(snakemake.input.thresholds),
        own_images(snakemake),
        measures=Measures(tuple(names), tolerance),
        threads=snakemake.threads,
        oracle=snakemake.params.oracle,
    )
    write_csv(snakemake.output.counts, counts)
    write_arrays(snakemake.output.histograms, histograms)
