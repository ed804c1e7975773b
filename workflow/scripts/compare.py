"""Compare the cells of one experiment: its tables."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.config import Cell
    from segstudy.config.datasets import DatasetConfig
    from segstudy.gains import gain_words
    from segstudy.protocol import protocols
    from segstudy.tables import compare

    params, given = snakemake.params, snakemake.input
    cells, gains = ([Cell(*cell) for cell in rows] for rows in (params.cells, params.gains))
    datasets = {name: DatasetConfig.model_validate(block) for name, block in params.datasets.items()}
    compare(
        list(zip(cells + gains, [*given.counts, *given.gains], strict=True)),
        [(*pair, path) for pair, path in zip(params.pairs, given.controls, strict=True)],
        list(zip(cells, given.runs, strict=True)),
        experiment=snakemake.wildcards.experiment,
        question=params.question,
        policy=params.policy,
        metrics=params.metrics,
        tolerance=params.tolerance,
        notes=gain_words(gains),
        regions={name: options.region for name, options in datasets.items()},
        protocols=protocols(datasets, given.checks),
        outputs=dict(snakemake.output.items()),
    )
