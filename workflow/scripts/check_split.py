"""Check a split for leaks and missing strata."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.datasets import DeclaredException
    from segstudy.core.arrays import read_array
    from segstudy.core.files import read_csv, write_json
    from segstudy.data.checks.split_checks import check_split

    result = check_split(
        read_csv(snakemake.input.index),
        read_csv(snakemake.input.samples),
        read_array(snakemake.input.thumbnails),
        read_csv(snakemake.input.split),
        [DeclaredException.model_validate(item) for item in snakemake.params.exceptions],
        dataset=snakemake.wildcards.dataset,
    )
    write_json(snakemake.output.checked, result)
