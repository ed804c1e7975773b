"""Divide the labelled images of a data set."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.datasets import Split
    from segstudy.core.files import read_csv, write_csv
    from segstudy.data.split import make_split

    split = make_split(
        read_csv(snakemake.input.index),
        Split.model_validate(snakemake.params.split),
        seed=int(snakemake.wildcards.seed),
    )
    write_csv(snakemake.output.split, split)
