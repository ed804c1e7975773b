"""The plan of a data set as a file: made from its card and index, kept where a person has edited it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from segstudy.config.datasets import Split
from segstudy.config.plan_file import DatasetPlan, Values, flat, read_plan
from segstudy.core.files import write_text
from segstudy.runtime.resources import training_memory
from segstudy.study.dataset_size import expected_subsets
from segstudy.study.plan_choices import Facts, Machine
from segstudy.study.planner import CountMemory, Plan, make_plan

logger = logging.getLogger("segstudy")

HEAD = """\
# Plan of data set {dataset}, made by rule plan. Change a value above 'because' and it holds: the next run trains with
# it, and says so. Delete the file to have it planned anew. To keep it with the study, copy it beside the study file and
# name it there: datasets: {{{dataset}: {{plan: <file>}}}}. Rules and reasons: docs/planning.md
"""


def facts_of(wishes: Mapping[str, Any], sizes: Sequence[tuple[int, int]], objects: Mapping[str, Any] | None) -> Facts:
    """Return what a data set is like.

    Args:
        wishes: `split`, `reader`, `channels` and `outputs`, as in `plan_wishes`.
        sizes: (width, height) of the labelled images, or of all where none is labelled.
        objects: the card's, or None.
    """
    subsets = expected_subsets(Split.model_validate(wishes["split"]), wishes["reader"], len(sizes))
    objects = objects or {}
    return Facts(
        sizes=sizes,
        train=max(1, subsets["train"]),
        val=subsets["val"],
        span=objects.get("span"),
        thinnest=objects.get("thinnest"),
        channels=wishes["channels"],
        outputs=wishes["outputs"],
    )


def machine_of(limits: Mapping[str, Any], gpu: bool, threads: int) -> Machine:
    """Return what a training has: of the memory, what the config says, else what this machine has."""
    if limits["memory_gb"]:
        return Machine(gpu, threads, limits["memory_gb"], "plan.memory_gb", limits["hours"])
    return Machine(gpu, threads, *training_memory(gpu, threads), limits["hours"])


def make(
    dataset: str,
    wishes: Mapping[str, Any],
    facts: Facts,
    machine: Machine,
    path: Path,
    given: Path | None = None,
    count: CountMemory | None = None,
) -> DatasetPlan:
    """Return the plan of a data set.

    Args:
        wishes: of `plan_wishes`.
        path: of the plan; what a person has changed in it stays.
        given: a plan that is kept with the study; what it says stays too.
        count: the memory of a network, see `make_plan`.

    Raises:
        StudyError: the edited plan holds what no config may, or nothing fits into the memory.
    """
    kept: Values = {}
    if path.exists():
        before = read_plan(path)
        kept = {key: flat(before.values)[key] for key in before.edited}
    if given:
        kept |= flat(read_plan(given).values)
    kept = {key: value for key, value in kept.items() if key in wishes["keys"]}
    plan = make_plan(facts, machine, *_with(kept, wishes), count)
    free = _flat_values(make_plan(facts, machine, *_with({}, wishes), count) if kept else plan, wishes)
    computed, because = _flat_values(plan, wishes), {key: plan.because.get(key, "") for key in wishes["keys"]}
    for key, value in kept.items():
        source = f"as {given} says" if given else "edited by hand"
        because[key] = f"{source}; the planner would choose {_plain(free[key])}"
        logger.info("%s: %s is %s, %s", dataset, key, _plain(value), because[key], extra={"notable": True})
    seen = {
        "images": len(facts.sizes),
        "train": facts.train,
        "long_side": facts.long_side,
        "span": facts.span,
        "thinnest": facts.thinnest,
        "gpu": machine.gpu,
        "threads": machine.threads,
        "memory_gb": round(machine.memory_gb, 2),
        "hours": machine.hours,
    }
    memory = {name: {key: round(mb, 1) for key, mb in one._asdict().items()} for name, one in plan.memory.items()}
    chosen = _nested(computed | {k: free[k] for k in kept})
    return DatasetPlan(path, _nested(computed | kept), because, seen, chosen, memory)


def _with(kept: Values, wishes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what is written, and the networks, with the kept values among them."""
    models = {name: dict(settings) for name, settings in wishes["models"].items()}
    written = dict(wishes["written"])
    for key, value in kept.items():
        if key.startswith("models."):
            name, _, option = key.removeprefix("models.").rpartition(".")
            models[name][option] = value
        else:
            written[key] = value
    return written, models


def _flat_values(plan: Plan, wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the keys that are asked for."""
    shapes = {f"models.{name}.{key}": value for name, shape in plan.models.items() for key, value in shape.items()}
    every = plan.values | shapes
    return {key: every[key] for key in wishes["keys"] if key in every}


def _nested(values: Mapping[str, Any]) -> Values:
    """Return values as a plan file has them, those of networks below `models`."""
    result: Values = {key: value for key, value in values.items() if not key.startswith("models.")}
    for key, value in values.items():
        if key.startswith("models."):
            name, _, option = key.removeprefix("models.").rpartition(".")
            result.setdefault("models", {}).setdefault(name, {})[option] = value
    return result


def write_plan(dataset: str, plan: DatasetPlan) -> None:
    """Write a plan to its file."""
    lines = [HEAD.format(dataset=dataset), f"dataset: {dataset}\n"]
    memory = {"memory": plan.memory} if plan.memory else {}
    for part in (plan.values, {"because": plan.because}, {"seen": plan.seen}, memory, {"computed": plan.computed}):
        for key, value in part.items():
            nested = key in ("models", "because")
            if nested:
                lines.append(yaml.safe_dump({key: value}, sort_keys=False, width=10**6, default_flow_style=False))
            else:
                lines.append(f"{key}: {_plain(value)}\n")
    write_text(plan.path, "".join(lines))


def _plain(value: Any) -> str:
    """Return a value as one line of YAML."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
    return text.removesuffix("...\n").strip()
