"""Draw accepted and rejected pseudo-labels of one student."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.figures.pseudo_sheet import draw_contact_sheet

    draw_contact_sheet(
        snakemake.input.accepted,
        snakemake.input.selection,
        snakemake.input.probabilities,
        snakemake.input.index,
        snakemake.params.root,
        snakemake.output.png,
        title=snakemake.params.title,
        phantom=snakemake.params.phantom,
    )
