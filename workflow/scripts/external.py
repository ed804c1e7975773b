"""Compare the networks of one experiment across data sets: its tables."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.core.files import write_csv
    from segstudy.tables.external import external_inputs, external_rows, leak_words
    from segstudy.tables.external_text import content
    from segstudy.tables.render import write_formats

    inputs, external, datasets = external_inputs(snakemake)
    rows = external_rows(inputs, external, snakemake.params.metric)
    table = content(inputs, rows, datasets, leak_words(snakemake.input.external_checks))
    write_csv(snakemake.output.csv, rows)
    write_formats(table, inputs.outputs)
