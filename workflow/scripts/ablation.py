"""Draw the comparison of losses and networks of one experiment."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.cell import Cell
    from segstudy.figures.ablation import draw_ablation

    params = snakemake.params
    draw_ablation(
        [(Cell(*cell), path) for cell, path in zip(params.cells, snakemake.input.counts, strict=True)],
        [(*pair, path) for pair, path in zip(params.pairs, snakemake.input.controls, strict=True)],
        snakemake.wildcards.experiment,
        snakemake.output.svg,
        snakemake.output.png,
        policy=params.policy,
        regions=params.regions,
        phantom=params.phantoms,
    )
