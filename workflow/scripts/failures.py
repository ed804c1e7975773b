"""Draw where the networks of one experiment fail."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.cell import Cell
    from segstudy.figures.failures import draw_failures

    params, given = snakemake.params, snakemake.input
    draw_failures(
        [(Cell(*cell), path) for cell, path in zip(params.cells, given.counts, strict=True)],
        given.histograms,
        dict(zip(params.datasets, given.indexes, strict=True)),
        snakemake.wildcards.experiment,
        dict(snakemake.output.items()),
        policy=params.policy,
        regions=params.regions,
        phantoms=params.phantoms,
    )
