"""Train one cell."""

from pathlib import Path

from segstudy.jobs import job, repeating_command

with job(snakemake, resume=Path(snakemake.params.resume)):
    from segstudy.cells import train_cell
    from segstudy.published import place

    train_cell(
        Path(snakemake.input.store),
        Path(snakemake.input.split),
        snakemake.params.settings,
        seed=int(snakemake.wildcards.seed),
        outputs={name: Path(path) for name, path in snakemake.output.items()},
        resume=Path(snakemake.params.resume),
        threads=snakemake.threads,
        code=snakemake.params.code,
        command=repeating_command(snakemake),
        index=Path(snakemake.input.index) if snakemake.input.index else None,
        encoder=Path(snakemake.input.encoder) if snakemake.input.encoder else None,
        start=Path(snakemake.input.start) if snakemake.input.start else None,
        sources=snakemake.params.sources,
        kept=place(Path(snakemake.params.resume)),
    )
