"""Plans of data sets, to read: each choice with its reason, beside the cost of the study."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from segstudy.config import dependencies, paths
from segstudy.config.plan_file import DatasetPlan, PlanMissing, flat
from segstudy.config.study import Study
from segstudy.core import checksums
from segstudy.study import lookups
from segstudy.study.dataset_size import DAMAGED, image_sizes
from segstudy.study.plan_files import facts_of, machine_of, make
from segstudy.study.plan_wishes import plan_wishes
from segstudy.study.receptive_fields import sight


def planned_datasets(study: Study) -> list[str]:
    """Return the data sets of the study that leave something to a plan."""
    return [name for name in dependencies.used_datasets(study) if dependencies.planned_keys(study)[name]]


def assume_plans(study: Study, results: Path, gpu: bool, threads: int) -> list[str]:
    """Plan what no job has planned yet, by what is known of the data now, for estimates; return these data sets."""
    assumed = [name for name in planned_datasets(study) if study.plan_of(name) is None]
    for name in assumed:
        options, wishes = study.datasets[name], plan_wishes(study, name)
        sizes, _, _ = image_sizes(options, paths.data(results, name))
        facts = facts_of(wishes, sizes, _objects(paths.path(results, paths.CARD, dataset=name)))
        given = Path(options.plan) if options.plan else None
        machine = machine_of(wishes["limits"], gpu, threads)
        study.assume(name, make(name, wishes, facts, machine, study.plan_path(name), given))
    return assumed


def _objects(card: Path) -> dict[str, Any] | None:
    with suppress(*DAMAGED):
        objects: dict[str, Any] | None = json.loads(checksums.content(card)).get("objects")
        return objects
    return None


def sight_warnings(study: Study, results: Path) -> list[str]:
    """Return the warnings that rule `check_networks` gives, or will give.

    Data sets without a card are not known well enough, nor are those whose plan is not there.
    """
    warnings: list[str] = []
    for dataset in dependencies.used_datasets(study):
        with suppress(PlanMissing):
            networks, size = lookups.networks(study, dataset), study.dataset_settings(dataset, "size")["size"]
            sizes, _, _ = image_sizes(study.datasets[dataset], paths.data(results, dataset))
            objects = _objects(paths.path(results, paths.CARD, dataset=dataset))
            warnings += sight(dataset, networks, sizes, size, objects)["warnings"]
    return warnings


def plan_table(dataset: str, plan: DatasetPlan) -> Table:
    """Return the choices for a data set, one a line."""
    table = Table(
        "key", "value", "because", title=f"Plan of {dataset}", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1)
    )
    for key, value in flat(plan.values).items():
        why = plan.because.get(key, "")
        if key in plan.edited:
            why = f"edited by hand; planned was {flat(plan.computed)[key]}"
        table.add_row(key, _plain(value), why)
    return table


def _plain(value: Any) -> str:
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)
