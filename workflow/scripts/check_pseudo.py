"""Check that a student has some of its teacher's labels to learn from."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.core.files import read_csv, read_json, write_json
    from segstudy.inference.pseudo_selection import check_some_accepted

    result = check_some_accepted(
        read_csv(snakemake.input.accepted),
        read_json(snakemake.input.selection),
        f"recipes.{snakemake.wildcards.recipe}.pseudo_labels.accept; every image is in {snakemake.input.accepted}",
    )
    write_json(snakemake.output.checked, result)
