"""Compare the networks of one experiment on corrupted test images: tables and curves."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.core.files import write_csv
    from segstudy.figures.robustness import draw_robustness
    from segstudy.tables.inputs import table_inputs
    from segstudy.tables.render import write_formats
    from segstudy.tables.robustness import robustness_rows
    from segstudy.tables.robustness_text import content

    inputs = table_inputs(snakemake)
    rows = robustness_rows(inputs, list(snakemake.input.corrupted), snakemake.params.metric)
    write_csv(snakemake.output.csv, rows)
    write_formats(content(inputs, rows), inputs.outputs)
    draw_robustness(rows, inputs.experiment, inputs.outputs)
