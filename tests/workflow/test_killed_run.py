"""`segstudy run`, killed with all its processes at any stage, ends with the same bytes when it is typed again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

CELL = "results/tiny/cells/drive/unet/bce/default/seed0"
# Stage: what is removed to have it made again, what is asked for, and what must come back byte for byte.
STAGES = {
    "preprocess": (
        ["results/tiny/data/drive/store"],
        "results/tiny/data/drive/store",
        "results/tiny/data/drive/store/*",
    ),
    "train": ([f"{CELL}/model.safetensors", f"{CELL}/history.csv", f"{CELL}/run.json"], f"{CELL}/run.json", ""),
    "predict": ([f"{CELL}/masks", f"{CELL}/thresholds.json"], f"{CELL}/thresholds.json", f"{CELL}/masks/*"),
    "measure": ([f"{CELL}/counts.csv"], f"{CELL}/counts.csv", f"{CELL}/counts.csv"),
    "report": (["results/tiny/report.html"], "results/tiny/report.html", "results/tiny/report.html"),
}
TRAINED = [f"{CELL}/model.safetensors", f"{CELL}/history.csv"]


def start(copy, target):
    copy.write()
    words = [sys.executable, "-m", "segstudy", "run", "study.yaml", "--verbose", "--", "--cores", "1", "--", target]
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(copy.folder / "workflow"), "PATH": path}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(words, cwd=copy.folder, env=environment, start_new_session=True, **pipes)


def training_runs(copy):
    """Wait until a training has saved how far it is."""
    for _ in range(600):
        if any(copy.folder.glob("results/tiny/resume/*/*/*/*/*/status.json")):
            return
        time.sleep(0.05)


def killed_in(copy, stage, target, delay):
    """Start a run and kill its whole process group once a stage has begun; return what it has said until then.

    Without a `delay` that is when the first steps of a training are done.
    """
    said = []
    with start(copy, target) as run:
        for line in run.stdout:
            said.append(line)
            if line.strip() in (f"rule {stage}:", f"localrule {stage}:"):
                training_runs(copy) if delay is None else time.sleep(delay)
                with suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    if run.returncode == 0:
        pytest.skip(f"{stage} was over before it could be killed")
    assert run.returncode == -signal.SIGKILL, "".join(said)
    return "".join(said)


def undone(copy, stage):
    for name in STAGES[stage][0]:
        path = copy.file(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def bytes_of(copy, stage):
    found = [*map(copy.file, TRAINED), *sorted(copy.folder.glob(STAGES[stage][2] or CELL))]
    return {str(path.relative_to(copy.folder)): path.read_bytes() for path in found if path.is_file()}


def ends_as_before(finished, changed, stage, delay):
    undone(changed, stage)
    killed_in(changed, stage, STAGES[stage][1], delay)
    with start(changed, STAGES[stage][1]) as again:
        said = again.communicate()[0]
    assert again.returncode == 0, said
    assert "was killed and has left its lock" in said
    assert bytes_of(changed, stage) == bytes_of(finished, stage)


def test_killed_while_it_trains(finished, changed):
    ends_as_before(finished, changed, "train", delay=None)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0, 0.3, 1, 3])
@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_any_stage(finished, changed, stage, delay):
    ends_as_before(finished, changed, stage, delay)
