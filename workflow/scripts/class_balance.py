"""Draw the training images of each stratum before and after balancing."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.core.files import read_csv
    from segstudy.figures.class_balance import draw_class_balance

    draw_class_balance(
        read_csv(snakemake.input.split),
        read_csv(snakemake.input.index),
        snakemake.params.recipe,
        snakemake.output,
        title=snakemake.params.title,
        phantom=snakemake.params.phantom,
    )
