"""Compare the annotators of one experiment's data sets with one another, and its cells with each: its tables."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.cell import Cell
    from segstudy.data.readers.registry import labels_of
    from segstudy.tables.annotators import Source, compare_annotators
    from segstudy.tables.inputs import table_inputs

    splits = dict(zip(map(tuple, snakemake.params.splits), snakemake.input.splits, strict=True))
    sources = {
        name: Source(
            index,
            {seed: path for (dataset, seed), path in splits.items() if dataset == name},
            Path(block["root"]),
            labels_of(block["reader"], **block["labels"]),
            block["truth"],
        )
        for (name, block), index in zip(snakemake.params.sources.items(), snakemake.input.indexes, strict=True)
    }
    masks = [(Cell(*cell), path) for cell, path in zip(snakemake.params.predicted, snakemake.input.masks, strict=True)]
    compare_annotators(table_inputs(snakemake), masks, sources, snakemake.threads)
