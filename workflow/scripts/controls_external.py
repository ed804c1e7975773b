"""Count what a row without training gets right and wrong on an external test set."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.core.files import read_csv, write_csv
    from segstudy.data.external_images import external_images
    from segstudy.data.ground_truth import LabelledImages
    from segstudy.data.readers.registry import labels_of
    from segstudy.evaluation.controls import measure_controls
    from segstudy.evaluation.shape_metrics import Measures

    inputs, own, images = snakemake.input, snakemake.params.own, external_images(snakemake)
    names, tolerance = snakemake.params.measures
    counts = measure_controls(
        images.index,
        images.split,
        images.root,
        images.labels,
        seed=int(snakemake.wildcards.seed),
        names=snakemake.params.controls,
        measures=Measures(tuple(names), tolerance),
        threads=snakemake.threads,
        learn_from=LabelledImages(
            read_csv(inputs.own_index),
            read_csv(inputs.own_split),
            Path(own["root"]),
            labels_of(own["reader"], **own["labels"]),
        ),
    )
    write_csv(snakemake.output.counts, counts)
