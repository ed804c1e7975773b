"""Draw the first training samples of a seed as the network gets them."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.data.readers.registry import labels_of
    from segstudy.figures.augmented import draw_augmented

    draw_augmented(
        snakemake.input.store,
        snakemake.input.split,
        snakemake.params.recipe,
        snakemake.output.png,
        seed=int(snakemake.wildcards.seed),
        title=snakemake.params.title,
        labels=labels_of(snakemake.params.reader, **snakemake.params.labels),
        phantom=snakemake.params.phantom,
        index=snakemake.input.get("index") or None,
    )
