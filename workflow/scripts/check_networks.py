"""Compare the receptive fields of the networks on a data set with its median object."""

from segstudy.runtime.job import job

with job(snakemake):
    import logging

    from segstudy.core.files import read_csv, read_json, write_json
    from segstudy.study.receptive_fields import sight, sizes_of

    record = sight(
        snakemake.wildcards.dataset,
        snakemake.params.networks,
        sizes_of(read_csv(snakemake.input.index)),
        snakemake.params.size,
        read_json(snakemake.input.card).get("objects"),
    )
    for warning in record["warnings"]:
        logging.getLogger("segstudy").warning("%s", warning)
    write_json(snakemake.output.checked, record)
