# segstudy: from raw folders to report tables. The study is described in config.yaml or in an overlay of it:
#   snakemake --profile profiles/local --configfile studies/demo.yaml
from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/helpers.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/external.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/pictures.smk"
include: "rules/report.smk"


rule all:
    """Everything the study's experiments ask for: tables, figures, data cards, network sketches, and the report."""
    default_target: True
    input:
        targets.all_results(STUDY),
        f"{RESULTS}/{paths.REPORT}",
        f"{RESULTS}/{paths.PAPER}",
    localrule: True


for name, proxy in rules._rules.items():
    complete(name, proxy.rule)


onerror:  # some jobs failed: the tables of what is there, and the reason for every missing cell
    from segstudy.study.partial_tables import write_partial
    from segstudy.core.terminal_text import say

    try:
        say("\n".join(write_partial(STUDY, Path(RESULTS))), error=True)
    except (StudyError, OSError) as error:
        say(f"no partial tables: {error}", error=True)


onsuccess:
    from segstudy.study.partial_tables import forget_partial

    forget_partial(STUDY, Path(RESULTS))
