"""Draw what each approach makes of few labels, and write the numbers behind it."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.cell import Cell
    from segstudy.figures.label_efficiency import Share, draw_label_efficiency

    params, given = snakemake.params, snakemake.input
    draw_label_efficiency(
        [(Cell(*cell), path) for cell, path in zip(params.cells, given.counts, strict=True)],
        [(*pair, path) for pair, path in zip(params.pairs, given.controls, strict=True)],
        list(given.runs),
        [Share(*share) for share in params.shares],
        snakemake.wildcards.experiment,
        dict(snakemake.output.items()),
        policy=params.policy,
        metric=params.metric,
        regions=params.regions,
        phantoms=params.phantoms,
    )
