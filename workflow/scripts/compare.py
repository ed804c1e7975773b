"""Compare the cells of one experiment: its tables."""

from segstudy.runtime.job import job

with job(snakemake):
    from segstudy.tables.inputs import gain_inputs, table_inputs
    from segstudy.tables.results import compare
    from segstudy.tables.variants import gain_words

    inputs, params = table_inputs(snakemake), snakemake.params
    trained = [cell for cell, _ in inputs["cells"]]
    gains = [(gain.cell, path) for gain, path in gain_inputs(snakemake)]
    inputs["cells"] += gains
    compare(
        **inputs,
        runs=list(zip(trained, snakemake.input.runs, strict=True)),
        metrics=params.metrics,
        tolerance=params.tolerance,
        notes=gain_words([cell for cell, _ in gains]),
    )
