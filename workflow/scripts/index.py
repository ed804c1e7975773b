"""List the images of a data set."""

from segstudy.runtime.job import job

with job(snakemake):
    from pathlib import Path

    from segstudy.config.layout import Layout
    from segstudy.core.files import write_csv
    from segstudy.data.images.reading import configured
    from segstudy.data.index import build_index

    index = build_index(
        snakemake.params.reader,
        Path(snakemake.params.root),
        layout=Layout.model_validate(snakemake.params.layout),
        reading=configured(**snakemake.params.reading),
        dataset=snakemake.wildcards.dataset,
        threads=snakemake.threads,
    )
    write_csv(snakemake.output.index, index)
