"""Draw the learning curves of one experiment."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.cell import Cell
    from segstudy.config.recipes import CurveStopping
    from segstudy.figures.curves import draw_curves

    params = snakemake.params
    draw_curves(
        [(Cell(*cell), path) for cell, path in zip(params.cells, snakemake.input, strict=True)],
        snakemake.wildcards.experiment,
        dict(snakemake.output.items()),
        phantoms=params.phantoms,
        rules={(dataset, recipe): CurveStopping(**rule) for dataset, recipe, rule in params.rules},
    )
