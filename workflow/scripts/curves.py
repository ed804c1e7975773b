"""Draw the learning curves of one experiment."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.cell import Cell
    from segstudy.config.recipes import CurveStopping
    from segstudy.figures.curves import draw_curves

    draw_curves(
        [(Cell(*cell), path) for cell, path in zip(snakemake.params.cells, snakemake.input, strict=True)],
        snakemake.wildcards.experiment,
        snakemake.output.svg,
        snakemake.output.png,
        phantom=snakemake.params.phantoms,
        rules={(dataset, recipe): CurveStopping(**rule) for dataset, recipe, rule in snakemake.params.rules},
    )
