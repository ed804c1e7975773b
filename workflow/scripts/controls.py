"""Count what a row without training gets right and wrong."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.core.files import write_csv
    from segstudy.data.job_images import own_images
    from segstudy.evaluation.controls import measure_controls
    from segstudy.evaluation.shape_metrics import Measures

    names, tolerance = snakemake.params.measures
    counts = measure_controls(
        own_images(snakemake),
        seed=int(snakemake.wildcards.seed),
        names=snakemake.params.controls,
        measures=Measures(tuple(names), tolerance),
        threads=snakemake.threads,
    )
    write_csv(snakemake.output.counts, counts)
