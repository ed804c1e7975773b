# segstudy: from raw folders to report tables. The study is described in config.yaml or in an overlay of it:
#   snakemake --profile profiles/local --configfile studies/demo.yaml
from inspect import signature

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/settings.smk"
include: "rules/sources.smk"
include: "rules/targets.smk"
include: "rules/results.smk"
include: "rules/data.smk"
include: "rules/encoders.smk"
include: "rules/train.smk"
include: "rules/chains.smk"
include: "rules/pseudo.smk"
include: "rules/evaluate.smk"
include: "rules/gains.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/pictures.smk"
include: "rules/report.smk"


rule all:
    """Everything the study's experiments ask for: tables, figures, data cards, network sketches, and the report."""
    default_target: True
    input:
        all_results(),
        f"{RESULTS}/report.html",
        f"{RESULTS}/paper",
    localrule: True


# Snakemake asks every input and params function for its parameters twice per job; remembered, 10,000 cells plan faster.
for planned in workflow.rules:
    for item in (*planned.input, *planned.params):
        function = getattr(item, "callable", item)
        if callable(function):
            function.__signature__ = signature(function)


onerror:
    # Jobs failed: the tables of what is there, and of every missing cell the reason.
    from segstudy.study.partial_tables import write_partial
    from segstudy.core.terminal_text import say

    try:
        say("\n".join(write_partial(STUDY, Path(RESULTS))), error=True)
    except (StudyError, OSError) as error:
        say(f"no partial tables: {error}", error=True)


onsuccess:
    from segstudy.study.partial_tables import forget_partial

    forget_partial(STUDY, Path(RESULTS))
