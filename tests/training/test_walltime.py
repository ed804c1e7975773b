"""A training that meets its walltime, again and again, ends with the bytes of one that never did."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.helpers import small_cell
from tests.helpers.commands import server_of_libraries

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


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    small_cell.write_inputs(folder)
    return folder


def attempt(program, folder, steps):
    """Run the program as a job; one that has imported the libraries already."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow"), "OMP_NUM_THREADS": "1"}
    command = [server_of_libraries().with_name("python"), str(program), str(folder), str(steps)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def written(path, inputs, name):
    path.write_text(JOB.format(tests=str(ROOT), inputs=str(inputs), name=name))
    return path


@pytest.fixture(scope="module")
def undisturbed(inputs, tmp_path_factory):
    """A training that nobody stops."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert attempt(written(folder / "job.py", inputs, "SIGTERM"), folder, 0).returncode == 0
    return folder


@pytest.mark.parametrize("name", ["SIGUSR2", "SIGTERM"])  # LSF's warning before a walltime; SLURM's
def test_three_walltimes_end_like_none(inputs, undisturbed, tmp_path, name):
    program, limited = written(tmp_path / "job.py", inputs, name), tmp_path / "limited"
    for _ in range(2):  # of some 15 steps; every attempt goes on where the last one was stopped
        done = attempt(program, limited, 6)
        assert done.returncode == 1, done.stderr
        assert f"stopped by {name}" in done.stderr and "state saved" in done.stderr
        assert not (limited / "run.json").exists() and not (limited / "model.safetensors").exists()
    assert attempt(program, limited, 6).returncode == 0
    for file in ("model.safetensors", "history.csv"):
        assert (limited / file).read_bytes() == (undisturbed / file).read_bytes(), file
    run = json.loads((limited / "run.json").read_text())
    assert run["interruptions"] == 2
