"""Killed is not lost: a cell killed at any moment, any number of times, ends with the bits of an undisturbed one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers import small_cell


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    """Start the program that forks trainings; yield a function that runs one and returns its exit status."""
    folder = tmp_path_factory.mktemp("inputs")
    small_cell.write_inputs(folder)
    program = [sys.executable, str(Path(small_cell.__file__)), str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(program, stdin=-1, stdout=-1, text=True, bufsize=1, env=environment) as process:

        def launch(target, fatal_write=0, kill_after=None):
            print(target, fatal_write, file=process.stdin, flush=True)
            child = int(process.stdout.readline())
            if kill_after is not None:
                time.sleep(kill_after)
                os.kill(child, signal.SIGKILL)
            print("wait", file=process.stdin, flush=True)
            return int(process.stdout.readline())

        yield launch
        process.stdin.close()


@pytest.fixture(scope="module")
def undisturbed(trainer, tmp_path_factory):
    target = tmp_path_factory.mktemp("undisturbed")
    started = time.monotonic()
    assert trainer(target) == 0
    return target, time.monotonic() - started


def assert_same(target, reference, interruptions):
    for name in ("model.safetensors", "history.csv"):
        assert (target / name).read_bytes() == (reference / name).read_bytes(), name
    assert json.loads((target / "run.json").read_text())["interruptions"] == interruptions
    assert not (target / "resume").exists()
    names = ["history.csv", "model.safetensors", "run.json"]
    assert sorted(path.name for path in target.iterdir()) == [*(f".{name}.sum" for name in names), *names]


@pytest.mark.parametrize("fatal_write", [1, 2, 9])
def test_killed_in_the_middle_of_a_write(trainer, undisturbed, tmp_path, fatal_write):
    assert trainer(tmp_path, fatal_write) == signal.SIGKILL
    saved = (tmp_path / "resume" / "state.pt").exists()
    assert saved == (fatal_write > 1)
    assert trainer(tmp_path) == 0
    assert_same(tmp_path, undisturbed[0], interruptions=int(saved))


def kill_again_and_again(trainer, undisturbed, tmp_path, kills, seed):
    """Kill in turn in the middle of a write and at any moment, up to `kills` times; compare; return the number."""
    reference, duration = undisturbed
    moments, died = random.Random(seed), 0
    while died < kills and not (tmp_path / "run.json").exists():
        if died % 2 == 0:
            status = trainer(tmp_path, fatal_write=moments.randint(2, 4))
        else:
            status = trainer(tmp_path, kill_after=moments.uniform(0, duration / 3))
        died += status == signal.SIGKILL
    if not (tmp_path / "run.json").exists():  # else a launch was done before its moment came
        assert trainer(tmp_path) == 0
    continued = json.loads((tmp_path / "run.json").read_text())["interruptions"]
    assert continued >= 1
    assert_same(tmp_path, reference, continued)
    return died


def test_killed_up_to_six_times(trainer, undisturbed, tmp_path):
    assert kill_again_and_again(trainer, undisturbed, tmp_path, 6, seed=0) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_up_to_twenty_times(trainer, undisturbed, tmp_path, seed):
    assert kill_again_and_again(trainer, undisturbed, tmp_path, 20, seed) >= 1
