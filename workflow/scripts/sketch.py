"""Draw a network with the sizes of its feature maps, checked against a forward pass."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.figures.sketch import sketch_network

    sketch_network(
        snakemake.params.model,
        snakemake.input.store,
        snakemake.input.card,
        snakemake.params.title,
        {name: str(path) for name, path in snakemake.output.items()},
    )
