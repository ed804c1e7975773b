"""Planning: `snakemake -n` over 1,000 and 10,000 cells, beside a bare workflow of as many jobs and files.

The bare workflow is what Snakemake itself needs: chains of three jobs without params, resources or functions, and one
job at the end that wants them all. Both are run in turns, in CPU seconds, which a busy machine disturbs little.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
CHAIN = 3  # jobs of a cell
BARE = """
CHAINS = {chains}
rule all:
    input: expand("c/{{i}}/counts.csv", i=range(CHAINS))
    output: "table.csv"
    shell: "touch {{output}}"
rule train:
    output: "c/{{i}}/model", "c/{{i}}/history.csv", "c/{{i}}/run.json"
    log: "logs/train/{{i}}.log"
    benchmark: "benchmarks/train/{{i}}.jsonl"
    shell: "touch {{output}}"
rule predict:
    input: "c/{{i}}/model"
    output: "c/{{i}}/probabilities", "c/{{i}}/masks", "c/{{i}}/thresholds.json"
    log: "logs/predict/{{i}}.log"
    benchmark: "benchmarks/predict/{{i}}.jsonl"
    shell: "touch {{output}}"
rule measure:
    input: "c/{{i}}/probabilities", "c/{{i}}/masks", "c/{{i}}/thresholds.json"
    output: "c/{{i}}/counts.csv"
    log: "logs/measure/{{i}}.log"
    benchmark: "benchmarks/measure/{{i}}.jsonl"
    shell: "touch {{output}}"
"""
console = Console(width=130)


def large_study(cells: int) -> dict[str, object]:
    """Return a study of so many cells: two data sets, two networks, five seeds, and as many losses as it takes."""
    losses = {f"focal{i}": {"loss": "focal", "gamma": i / 100} for i in range(cells // 20)}
    names = {"datasets": ["ph2", "drive"], "models": ["encdec", "unet"], "losses": list(losses)}
    return {
        "study": "large",
        "losses": losses,
        "datasets": {name: {"phantom": {"images": 40}} for name in ("ph2", "drive")},
        "experiments": {"all": {"question": "How long does planning take?", **names, "seeds": 5}},
    }


class Plan(NamedTuple):
    """What a dry run took, and what it planned."""

    seconds: float
    cpu: float
    peak_mb: float
    text: str

    @property
    def jobs(self) -> int:
        """How many."""
        return int(re.search(r"(?m)^total +(\d+)$", self.text)[1])  # type: ignore[index]


def dry_run(folder: Path, *arguments: str) -> Plan:
    """Run `snakemake -n` in a folder."""
    command = [sys.executable, "-m", "snakemake", "-n", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    out = folder / "dry_run.txt"
    with out.open("wb") as file:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
        _, status, used = os.wait4(process.pid, 0)  # of this child alone
        seconds = time.perf_counter() - started
    text = out.read_text()
    if status:
        sys.exit(text[-2000:])
    return Plan(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


def run(folder: Path, sizes: tuple[int, ...] = (1_000, 10_000)) -> None:
    """Print the table; `folder` holds a copy of the project."""
    table = Table(title="snakemake -n, nothing done yet")
    for name in ("cells", "jobs", "seconds", "CPU seconds", "peak MB", "entries of the fullest folder"):
        table.add_column(name, justify="right")
    for name in ("bare: jobs", "CPU seconds", "CPU seconds / bare"):
        table.add_column(name, justify="right")
    for cells in sizes:
        (folder / "large.yaml").write_text(yaml.safe_dump(large_study(cells)))
        with console.status(f"planning {cells:,} cells ..."):
            plan = dry_run(folder, "--profile", "profiles/local", "--configfile", "large.yaml")
        with tempfile.TemporaryDirectory() as name, console.status("planning as many bare jobs ..."):
            Path(name, "Snakefile").write_text(BARE.format(chains=(plan.jobs - 1) // CHAIN))
            bare = dry_run(Path(name), "--cores", "1", "--scheduler", "greedy")
        shown = (cells, plan.jobs, plan.seconds, plan.cpu, plan.peak_mb, fullest(plan.text), bare.jobs, bare.cpu)
        table.add_row(*(f"{value:,.0f}" for value in shown), f"{plan.cpu / bare.cpu:.2f}")
    console.print(table)


def fullest(text: str) -> int:
    """Return the most entries of any folder that the jobs of a dry run write into, logs and benchmarks included."""
    lists = re.findall(r"(?m)^    (?:output|log|benchmark): (.*)$", text)
    entries: dict[str, set[str]] = defaultdict(set)
    for path in (Path(path.strip()) for paths in lists for path in paths.split(",")):
        for whole in (path, *path.parents[:-1]):
            entries[str(whole.parent)].add(whole.name)
    return max(map(len, entries.values()))


if __name__ == "__main__":
    from bench import copy_project

    with tempfile.TemporaryDirectory() as project:
        copy_project(Path(project))
        run(Path(project), tuple(map(int, sys.argv[1:])) or (1_000, 10_000))
