"""Names of rules with wildcards as targets: `snakemake train` trains every cell of the study."""

from __future__ import annotations

from typing import Any

from segstudy.config.study import Study
from segstudy.study.targets import expanded


def accept_rule_names(workflow: Any, study: Study) -> None:
    """Let `train` and `preprocess` stand for all of their files among the targets of a command line.

    Snakemake takes no rule with wildcards for a target, and tells the workflow its targets (`dag_settings`) once the
    Snakefile is read: the class of the workflow replaces them then.
    """

    class NamedTargets(type(workflow)):  # type: ignore[misc]
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "dag_settings" and value is not None:
                value.targets = expanded(study, value.targets)
            super().__setattr__(name, value)

    workflow.__class__ = NamedTargets
