"""Train one cell."""

from pathlib import Path

from segstudy.runtime.job import job, repeating_command

with job(snakemake, resume=Path(snakemake.params.resume)):
    from segstudy.training.cell import train_cell
    from segstudy.training.inputs import Unlabelled
    from segstudy.training.kept_outputs import place

    given = {name: Path(path) for name, path in snakemake.input.items() if path}
    unlabelled = None
    if "unlabelled" in given:
        taught = (given.get(name) for name in ("targets", "accepted", "teacher"))
        unlabelled = Unlabelled(given["unlabelled"], given["unlabelled_split"], *taught)
    train_cell(
        given["store"],
        given["split"],
        snakemake.params.settings,
        seed=int(snakemake.wildcards.seed),
        outputs={name: Path(path) for name, path in snakemake.output.items()},
        resume=Path(snakemake.params.resume),
        threads=snakemake.threads,
        code=snakemake.params.code,
        command=repeating_command(snakemake),
        index=given.get("index"),
        encoder=given.get("encoder"),
        start=given.get("start"),
        sources=snakemake.params.sources,
        kept=place(Path(snakemake.params.resume)),
        unlabelled=unlabelled,
    )
