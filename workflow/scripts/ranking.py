"""Draw the ranking of one experiment."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.cell import Cell
    from segstudy.figures.ranking import draw_ranking
    from segstudy.tables.inputs import gain_inputs

    params = snakemake.params
    draw_ranking(
        [(Cell(*cell), path) for cell, path in zip(params.cells, snakemake.input.counts, strict=True)],
        [(*pair, path) for pair, path in zip(params.pairs, snakemake.input.controls, strict=True)],
        snakemake.wildcards.experiment,
        dict(snakemake.output.items()),
        policy=params.policy,
        metric=params.metric,
        regions=params.regions,
        phantoms=params.phantoms,
        gains=gain_inputs(snakemake),
    )
