"""What the jobs of a study cost: CPU seconds of start and imports, and of work, rule by rule.

Every process says it itself at its end (`job_clock/sitecustomize.py`): wall seconds, and the seconds that Snakemake
samples from outside, tell little of jobs of half a second on a shared machine.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

from rich.table import Table

CLOCK = Path(__file__).resolve().parent / "job_clock"


def clocked(records: Path, package: Path) -> dict[str, str]:
    """Return the environment in which every Python process finds `package` and adds a line to `records`."""
    return {"SEGSTUDY_JOB_CLOCK": str(records), "PYTHONPATH": os.pathsep.join([str(package), str(CLOCK)])}


def cost_table(records: Path) -> Table:
    """Return the table of a study's jobs, the dearest rule first; Snakemake itself stands below the sum."""
    rules: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in records.read_text().splitlines():
        record = json.loads(line)
        name = record["script"].removesuffix(".py")
        rule = name.partition(".")[2] if name.startswith("tmp") else "Snakemake itself"  # tmp1234.train.py
        rules[rule].append((record["total"], record["imports"]))
    itself = rules.pop("Snakemake itself", [])
    table = Table(title="CPU seconds (user and system) of every rule's jobs")
    for name in ("rule", "jobs", "start and imports, a job", "work, a job", "all jobs"):
        table.add_column(name, justify="left" if name == "rule" else "right")
    for rule, jobs in sorted(rules.items(), key=lambda item: -sum(total for total, _ in item[1])):
        table.add_row(*_row(rule, jobs))
    table.add_section()
    table.add_row(*_row("all", [job for jobs in rules.values() for job in jobs]))
    table.add_row(*_row("all but training", [job for rule, jobs in rules.items() if rule != "train" for job in jobs]))
    table.add_row(*_row("Snakemake itself", itself))
    return table


def _row(name: str, jobs: list[tuple[float, float]]) -> tuple[str, ...]:
    count = max(len(jobs), 1)
    total, imports = (sum(job[part] for job in jobs) for part in (0, 1))
    return name, str(len(jobs)), f"{imports / count:.2f}", f"{(total - imports) / count:.2f}", f"{total:.1f}"
