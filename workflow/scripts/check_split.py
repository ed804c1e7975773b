"""Check a split for leaks and missing strata."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.checks import check_split
    from segstudy.config.datasets import DeclaredException
    from segstudy.files import read_array, read_csv, write_json

    found = check_split(
        read_csv(snakemake.input.index),
        read_csv(snakemake.input.samples),
        read_array(snakemake.input.thumbnails),
        read_csv(snakemake.input.split),
        [DeclaredException.model_validate(item) for item in snakemake.params.exceptions],
        dataset=snakemake.wildcards.dataset,
    )
    write_json(snakemake.output.checked, found)
