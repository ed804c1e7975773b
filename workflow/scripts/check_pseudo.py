"""Check that a student has some of its teacher's labels to learn from."""

from segstudy.jobs import job

with job(snakemake):
    from segstudy.acceptance import check_some_accepted
    from segstudy.files import read_csv, read_json, write_json

    found = check_some_accepted(
        read_csv(snakemake.input.accepted),
        read_json(snakemake.input.judged),
        f"recipes.{snakemake.wildcards.recipe}.pseudo_labels.accept; every image is in {snakemake.input.accepted}",
    )
    write_json(snakemake.output.checked, found)
