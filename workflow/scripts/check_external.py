"""Check that no network has seen an image of an external test set."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.datasets import DeclaredException
    from segstudy.config.dependencies import Seen
    from segstudy.core.arrays import read_array
    from segstudy.core.files import read_csv, write_json
    from segstudy.data.checks.external import check_external
    from segstudy.data.checks.leakage import Images
    from segstudy.data.job_images import external_split

    inputs, params = snakemake.input, snakemake.params
    external = snakemake.wildcards.external
    images = {
        name: Images(read_csv(index), read_array(thumbnails))
        for name, index, thumbnails in zip(params.datasets, inputs.indexes, inputs.thumbnails, strict=True)
    }
    result = check_external(
        external,
        [Seen(**item) for item in params.seen],
        images,
        {tuple(pair): read_csv(path) for pair, path in zip(params.splits, inputs.splits, strict=True)},
        external_split(images[external].table, inputs.get("measured")),
        [DeclaredException.model_validate(item) for item in params.exceptions],
    )
    write_json(snakemake.output.checked, result)
