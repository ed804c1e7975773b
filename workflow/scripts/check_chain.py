"""Check that no source of a cell has seen the images that it is measured on."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.chain_checks import Images, check_chain
    from segstudy.config.chains import Seen
    from segstudy.config.datasets import DeclaredException
    from segstudy.files import read_array, read_csv, write_json

    given, params = snakemake.input, snakemake.params
    found = check_chain(
        snakemake.wildcards.dataset,
        int(snakemake.wildcards.seed),
        [Seen(**item) for item in params.seen],
        {
            name: Images(read_csv(index), read_array(thumbnails))
            for name, index, thumbnails in zip(params.datasets, given.indexes, given.thumbnails, strict=True)
        },
        {tuple(pair): read_csv(path) for pair, path in zip(params.splits, given.splits, strict=True)},
        [DeclaredException.model_validate(item) for item in params.exceptions],
    )
    write_json(snakemake.output.checked, found)
