"""Draw the errors of every row of one experiment on the same test images."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.cell import Cell
    from segstudy.data.readers.registry import labels_of
    from segstudy.figures.strips import draw_strips, sources_of

    params, inputs = snakemake.params, snakemake.input
    draw_strips(
        [(Cell(*cell), *paths) for cell, *paths in zip(params.cells, inputs.counts, inputs.masks, strict=True)],
        sources_of(params.sources, inputs.indexes, labels_of),
        snakemake.wildcards.experiment,
        snakemake.output.png,
        policy=params.policy,
    )
