"""Judge a teacher's labels for one student."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.config.semi_supervised import Accept
    from segstudy.core.files import read_csv, write_csv, write_json
    from segstudy.inference.pseudo_selection import accept, eligible, learned_samples

    recipe, unlabelled = snakemake.wildcards.recipe, snakemake.params.unlabelled
    learned = learned_samples(read_csv(snakemake.input.index), read_csv(snakemake.input.split), snakemake.params.labels)
    own = learned if unlabelled == snakemake.wildcards.dataset else ()
    table, selection = accept(
        eligible(read_csv(snakemake.input.measures), read_csv(snakemake.input.unlabelled_split), own),
        read_csv(snakemake.input.samples),
        learned,
        Accept.model_validate(snakemake.params.accept),
        f"recipes.{recipe}.pseudo_labels.accept",
    )
    write_csv(snakemake.output.accepted, table)
    write_json(snakemake.output.selection, selection)
