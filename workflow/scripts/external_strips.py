"""Draw the errors of every network of one experiment on images of its external test sets."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.cell import Cell
    from segstudy.data.readers.registry import labels_of
    from segstudy.figures.strips import draw_strips, sources_of
    from segstudy.tables.external import External

    params, inputs = snakemake.params, snakemake.input
    cells = [External(Cell(*cell), name).as_row for cell, name in params.cells]
    draw_strips(
        list(zip(cells, inputs.counts, inputs.masks, strict=True)),
        sources_of(params.sources, inputs.indexes, labels_of),
        snakemake.wildcards.experiment,
        snakemake.output.png,
        policy=params.policy,
        title="errors on external test sets",
    )
