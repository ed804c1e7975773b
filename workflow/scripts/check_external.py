"""Check that no network has seen an image of an external test set."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.datasets import DeclaredException
    from segstudy.config.dependencies import Seen
    from segstudy.core.arrays import read_array
    from segstudy.core.files import read_csv, write_json
    from segstudy.data.checks.external import check_external
    from segstudy.data.checks.leakage import Images

    inputs, params = snakemake.input, snakemake.params
    result = check_external(
        snakemake.wildcards.external,
        [Seen(**item) for item in params.seen],
        {
            name: Images(read_csv(index), read_array(thumbnails))
            for name, index, thumbnails in zip(params.datasets, inputs.indexes, inputs.thumbnails, strict=True)
        },
        {tuple(pair): read_csv(path) for pair, path in zip(params.splits, inputs.splits, strict=True)},
        [DeclaredException.model_validate(item) for item in params.exceptions],
    )
    write_json(snakemake.output.checked, result)
