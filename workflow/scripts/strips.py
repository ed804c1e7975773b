"""Draw the errors of every row of one experiment on the same test images."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.cell import Cell
    from segstudy.data.readers.registry import labels_of
    from segstudy.figures.strips import Source, draw_strips

    params, inputs = snakemake.params, snakemake.input
    sources = {
        name: Source(
            index,
            source["root"],
            labels_of(source["reader"], **source["labels"]),
            source["region"],
            source["phantom"],
        )
        for (name, source), index in zip(params.sources.items(), inputs.indexes, strict=True)
    }
    draw_strips(
        [(Cell(*cell), *paths) for cell, *paths in zip(params.cells, inputs.counts, inputs.masks, strict=True)],
        sources,
        snakemake.wildcards.experiment,
        snakemake.output.png,
        policy=params.policy,
    )
