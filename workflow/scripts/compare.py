"""Compare the cells of one experiment: its tables."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.config import Cell
    from segstudy.config.datasets import DatasetConfig
    from segstudy.protocol import protocol
    from segstudy.tables import compare

    params = snakemake.params
    datasets = {name: DatasetConfig.model_validate(block) for name, block in params.datasets.items()}
    compare(
        [(Cell(*cell), path) for cell, path in zip(params.cells, snakemake.input.counts, strict=True)],
        [(*pair, path) for pair, path in zip(params.pairs, snakemake.input.controls, strict=True)],
        experiment=snakemake.wildcards.experiment,
        question=params.question,
        policy=params.policy,
        regions={name: options.region for name, options in datasets.items()},
        protocols={
            name: protocol(options, [path for path in snakemake.input.checks if f"/data/{name}/" in path])
            for name, options in datasets.items()
        },
        outputs=dict(snakemake.output.items()),
    )
