"""What the pipeline costs on this machine: `make bench`. Not a test: times on a shared machine are no facts to assert.

Prints seconds and peak memory of a dry run over 10,000 cells (`scale.py`); peak memory of preprocessing 45 images of
3504x2336; seconds per stage of the demo, CPU seconds of its jobs (`jobs.py`) and the share outside training steps;
the training engine beside other loops (`engine.py`); memory of training steps, predicted and measured (`memory.py`);
prediction in tiles beside MONAI's (`tiles.py`); the search for copies among 10,000 images.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from jobs import clocked, cost_table
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "config.yaml", "rules", "workflow", "envs", "profiles", "studies")
console = Console()


def copy_project(folder: Path) -> None:
    """Copy what Snakemake needs into an empty folder, so that nothing is found finished."""
    for part in PARTS:
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / part)


def snakemake(folder: Path, *arguments: str, clock: Path | None = None) -> float:
    """Run Snakemake in `folder`; return its wall seconds. Every process adds a line to the file `clock`."""
    command = [sys.executable, "-m", "snakemake", *arguments, "--profile", "profiles/local"]
    package = folder / "workflow"
    environment = os.environ | (clocked(clock, package) if clock else {"PYTHONPATH": str(package)})
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - started


def demo(folder: Path) -> None:
    """Time the demo study by stage."""
    clock = folder / "clock.jsonl"
    with console.status("running the demo study ..."):
        wall = snakemake(folder, "--configfile", "studies/demo.yaml", "--benchmark-extended", clock=clock)
        again = snakemake(folder, "--configfile", "studies/demo.yaml")
    results = folder / "results/demo"
    stages: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, float] = defaultdict(float)
    for path in sorted((results / "benchmarks").rglob("*.jsonl")):
        record = json.loads(path.read_text().splitlines()[-1])
        rule = path.relative_to(results / "benchmarks").parts[0]
        stages[rule].append(record["s"])
        memory[rule] = max(memory[rule], float(record["max_rss"] or 0))
    runs = [json.loads(path.read_text()) for path in sorted((results / "cells").rglob("run.json"))]
    table = Table(title=f"Demo study: {wall:.0f} s from drawn data to figures; a second call {again:.1f} s")
    for name in ("stage", "jobs", "job seconds", "share", "peak MB"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    total = sum(map(sum, stages.values()))
    for rule, seconds in sorted(stages.items(), key=lambda item: -sum(item[1])):
        share = sum(seconds) / total
        table.add_row(rule, str(len(seconds)), f"{sum(seconds):.1f}", f"{share:.1%}", f"{memory[rule]:.0f}")
    console.print(table)
    console.print(cost_table(clock))
    steps = sum(run["seconds"]["steps"] for run in runs)
    cores = min(os.cpu_count() or 1, len(runs))
    console.print(f"training steps: {steps:.0f} core-seconds of {wall * cores:.0f} ({steps / wall / cores:.0%});")
    console.print(f"outside training steps: {1 - steps / wall / cores:.0%} of the wall time of {cores} cores")
    rates: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        rates[f"{run['settings']['model']['network']} on {run['dataset']['reader']}"].append(run["images_per_second"])
    for name, values in rates.items():
        console.print(f"images/s in training, {name}: {sum(values) / len(values):.0f} (one core each)")


PEAK = """
import sys
from pathlib import Path
from segstudy.config.datasets import Size
from segstudy.core.files import read_csv
from segstudy.data.images.label_map import binary
from segstudy.data.store import build_store
folder = Path(sys.argv[1])
size = Size(long_side=1024) if sys.argv[2] == "1024" else "native"
build_store(read_csv(folder / "index.csv"), folder, folder / "store", size, "rgb", "drive", binary("vessel"), threads=2)
# Not ru_maxrss: that keeps the peak of the process this one was forked from.
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)
"""


def preprocessing(folder: Path) -> None:
    """Measure the peak memory of preprocessing 45 images of 3504x2336."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    from segstudy.core.files import write_csv

    random = np.random.default_rng(0)
    texture = random.integers(0, 255, (292, 438, 3), dtype=np.uint8)
    image = Image.fromarray(texture).resize((3504, 2336))
    mask = Image.fromarray((texture[:, :, 0] > 200).astype(np.uint8) * 255).resize(
        (3504, 2336), Image.Resampling.NEAREST
    )
    image.save(folder / "image.jpg")
    mask.save(folder / "mask.tif")
    rows = [
        {"sample": f"{i:02d}", "image": "image.jpg", "mask": "mask.tif", "roi": "", "second_mask": ""}
        for i in range(45)
    ]
    write_csv(folder / "index.csv", pd.DataFrame(rows).assign(width=3504, height=2336))
    table = Table(title="Preprocessing 45 images of 3504x2336, 2 threads")
    for name in ("size", "seconds", "peak MB"):
        table.add_column(name, justify="right")
    for size in ("native", "1024"):
        with console.status(f"preprocessing at {size} ..."):
            started = time.perf_counter()
            command = [sys.executable, "-c", PEAK, str(folder), size]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        table.add_row(size, f"{time.perf_counter() - started:.0f}", f"{float(done.stdout.split()[-1]):.0f}")
    console.print(table)


def scale(folder: Path) -> None:
    """Measure `snakemake -n` over 1,000 and 10,000 cells, beside a bare workflow of as many jobs."""
    import scale as planning

    planning.run(folder)


def engine(folder: Path) -> None:
    """Compare the training engine with other loops and with this machine's peak."""
    import engine as comparison

    comparison.run()


def tiles(folder: Path) -> None:
    """Compare full-image prediction in tiles with MONAI's."""
    import tiles as comparison

    comparison.run()


def memory(folder: Path) -> None:
    """Compare the predicted with the measured memory of training steps."""
    import memory as comparison

    comparison.run(list(comparison.NETWORKS))


def report(folder: Path) -> None:
    """Measure the largest part of the report of the full exercise study."""
    import report_size

    with console.status("predicting what nothing has learned ..."):
        report_size.run()


LEAKS = """
import resource, time
import numpy as np
from segstudy.data.checks.near_duplicates import near_duplicates, pairs_compared
from segstudy.data.images.thumbnails import smoothed
random, disc = np.random.default_rng(0), np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 30
def drawn(count):
    texture = smoothed(random.normal(size=(count, 64, 64)).astype(np.float32), 2)
    return (np.clip(128 + 40 * texture / texture.std(), 0, 255) * disc).astype(np.float32)
thumbnails = np.concatenate([drawn(500) for _ in range(20)])
thumbnails[-1] = np.rot90(thumbnails[0])
subsets = ["train"] * 7000 + ["val"] * 1500 + ["test"] * 1500
started = time.process_time()
found = near_duplicates(thumbnails, subsets)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(pairs_compared(subsets), len(found), time.process_time() - started, peak)
"""


def leaks(folder: Path) -> None:
    """Time the search for copies among 10,000 drawn discs of texture, one of them there twice."""
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = os.environ | one | {"PYTHONPATH": str(folder / "workflow")}
    with console.status("looking for copies among 10,000 images ..."):
        command = [sys.executable, "-c", LEAKS]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    pairs, found, seconds, peak = map(float, done.stdout.split())
    console.print(f"copies among 10,000 images: {pairs / 1e6:.1f} million pairs, {found:.0f} found,")
    console.print(f"{seconds:.0f} s of one core, peak {peak:.0f} MB")


def main() -> None:
    """Run every benchmark, or the ones named on the command line."""
    chosen = sys.argv[1:]
    for bench in (scale, preprocessing, demo, engine, memory, tiles, leaks, report):
        if chosen and bench.__name__ not in chosen:
            continue
        with tempfile.TemporaryDirectory() as folder:
            copy_project(Path(folder))
            bench(Path(folder))


if __name__ == "__main__":
    main()
