"""A training that meets its walltime, again and again, ends with the bytes of one that never did."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import small_cell

ROOT = Path(__file__).resolve().parents[2]
# What Snakemake's script does, and a scheduler that warns once the given number of steps is done.
JOB = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, {tests!r})
from tests.helpers import small_cell
from segstudy.runtime.job import job
from segstudy.training import trainer

folder, steps = Path(sys.argv[1]), int(sys.argv[2])
taken, real = 0, trainer.training_step

def limited(*arguments):
    global taken
    taken += 1
    if taken == steps:
        os.kill(os.getpid(), signal.{name})
    return real(*arguments)

trainer.training_step = limited
asked = SimpleNamespace(rule="train", wildcards={{}}, threads=1, log=[folder / "train.log"])
inputs, resume = Path({inputs!r}), folder / "a/b/c/d/resume"
with job(asked, resume=resume):
    small_cell.run((inputs / "store", inputs / "split.csv"), folder, resume=resume)
"""


@pytest.mark.parametrize("name", ["SIGUSR2", "SIGTERM"])  # LSF's warning before a walltime; SLURM's
def test_three_walltimes_end_like_none(tmp_path, name):
    inputs = tmp_path / "inputs"
    small_cell.write_inputs(inputs)
    program = tmp_path / "job.py"
    program.write_text(JOB.format(tests=str(ROOT), inputs=str(inputs), name=name))
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow"), "OMP_NUM_THREADS": "1"}

    def attempt(folder, steps):
        command = [sys.executable, str(program), str(folder), str(steps)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    undisturbed, limited = tmp_path / "undisturbed", tmp_path / "limited"
    assert attempt(undisturbed, 0).returncode == 0
    for _ in range(2):  # of some 15 steps; every attempt goes on where the last one was stopped
        done = attempt(limited, 6)
        assert done.returncode == 1, done.stderr
        assert f"stopped by {name}" in done.stderr and "state saved" in done.stderr
        assert not (limited / "run.json").exists() and not (limited / "model.safetensors").exists()
    assert attempt(limited, 6).returncode == 0
    for file in ("model.safetensors", "history.csv"):
        assert (limited / file).read_bytes() == (undisturbed / file).read_bytes(), file
    run = json.loads((limited / "run.json").read_text())
    assert run["interruptions"] == 2
