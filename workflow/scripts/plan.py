"""Choose what a config leaves to the plan of a data set."""

from segstudy.runtime.job import job

with job(snakemake):
    import json
    import os
    from pathlib import Path
    from typing import Any

    from segstudy.core.files import read_csv, read_json
    from segstudy.study.plan_files import facts_of, machine_of, make, write_plan
    from segstudy.study.receptive_fields import sizes_of

    counted: dict[str, Any] = {}  # the planner asks for a network again, with images that are cut into the same crops

    def count(*network: Any) -> Any:
        from segstudy.models.step_memory import network_memory  # torch, for which there may be no memory

        if (key := repr(network)) not in counted:
            counted[key] = network_memory(*network)
        return counted[key]

    wishes, dataset = snakemake.params.wishes, snakemake.wildcards.dataset
    facts = facts_of(wishes, sizes_of(read_csv(snakemake.input.index)), read_json(snakemake.input.card).get("objects"))
    trainings = json.loads(os.environ["SEGSTUDY_TRAININGS"])
    given = Path(snakemake.input.given) if snakemake.input.given else None
    machine = machine_of(wishes["limits"], **trainings)
    write_plan(dataset, make(dataset, wishes, facts, machine, Path(snakemake.output.plan), given, count))
