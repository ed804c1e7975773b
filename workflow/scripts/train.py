"""Train one cell."""

from pathlib import Path

from segstudy.runtime.job import job, repeating_command

with job(snakemake, resume=Path(snakemake.params.resume)):
    from segstudy.config import paths
    from segstudy.training.cell import TrainingFiles, train_cell
    from segstudy.training.inputs import Unlabelled
    from segstudy.training.kept_outputs import KeptOutputs

    inputs = {name: Path(path) for name, path in snakemake.input.items() if path}
    unlabelled = None
    if "unlabelled" in inputs:
        pseudo_labels = (inputs.get(name) for name in ("targets", "accepted", "teacher"))
        unlabelled = Unlabelled(inputs["unlabelled"], inputs["unlabelled_split"], *pseudo_labels)
    resume = Path(snakemake.params.resume)
    files = TrainingFiles(
        store=inputs["store"],
        split=inputs["split"],
        outputs={name: Path(path) for name, path in snakemake.output.items()},
        resume=resume,
        index=inputs.get("index"),
        encoder=inputs.get("encoder"),
        start=inputs.get("start"),
        unlabelled=unlabelled,
        kept=KeptOutputs.of_training(resume),
        trained=paths.TRAINED,
        plan=inputs.get("plan"),
    )
    train_cell(
        files,
        snakemake.params.settings,
        seed=int(snakemake.wildcards.seed),
        threads=snakemake.threads,
        code=snakemake.params.code,
        command=repeating_command(snakemake),
        sources=snakemake.params.sources,
    )
