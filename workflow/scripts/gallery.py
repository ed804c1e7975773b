"""Draw the best, median and worst test image of one cell."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.data.readers.registry import labels_of
    from segstudy.figures.gallery import draw_gallery

    draw_gallery(
        snakemake.input.counts,
        snakemake.input.masks,
        snakemake.input.index,
        snakemake.params.root,
        snakemake.output.jpg,
        title=snakemake.params.title,
        policy=snakemake.params.policy,
        region=snakemake.params.region,
        labels=labels_of(snakemake.params.reader, **snakemake.params.labels),
        phantom=snakemake.params.phantom,
    )
