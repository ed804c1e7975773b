"""Compare every two rows of one experiment image by image: its tables."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.comparisons import compare_pairs
    from segstudy.config import Cell
    from segstudy.config.datasets import DatasetConfig
    from segstudy.gains import gain_of
    from segstudy.protocol import protocols

    params, given = snakemake.params, snakemake.input
    datasets = {name: DatasetConfig.model_validate(block) for name, block in params.datasets.items()}
    compare_pairs(
        [(Cell(*cell), path) for cell, path in zip(params.cells, given.counts, strict=True)],
        [(*pair, path) for pair, path in zip(params.pairs, given.controls, strict=True)],
        experiment=snakemake.wildcards.experiment,
        question=params.question,
        policy=params.policy,
        metric=params.metric,
        regions={name: options.region for name, options in datasets.items()},
        protocols=protocols(datasets, given.checks),
        outputs=dict(snakemake.output.items()),
        gains=[(gain_of(gain), path) for gain, path in zip(params.gains, given.gains, strict=True)],
    )
