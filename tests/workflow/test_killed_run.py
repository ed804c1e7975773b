"""`segstudy run`, killed with all its processes at any stage, ends with the same bytes when it is typed again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import NamedTuple

import pytest

RESULTS = "results/tiny"
NAMES = "drive/unet/bce/default/seed0"
CELL = f"{RESULTS}/cells/{NAMES}"
TRAINED = [f"{CELL}/model.safetensors", f"{CELL}/history.csv"]


class Stage(NamedTuple):
    """A job that is killed: its wildcards as they stand in its log's path, and its outputs; the first is asked for.

    `run.json` holds times: it is made again, but has other bytes.
    """

    names: str
    outputs: tuple[str, ...]


STAGES = {
    "preprocess": Stage("drive", (f"{RESULTS}/data/drive/store",)),
    "train": Stage(NAMES, (f"{CELL}/run.json", *TRAINED)),
    "predict": Stage(
        NAMES, (f"{CELL}/thresholds.json", f"{CELL}/masks", f"{CELL}/probabilities", f"{CELL}/usage.json")
    ),
    "measure": Stage(NAMES, (f"{CELL}/counts.csv", f"{CELL}/histograms.npz")),
    "compare": Stage("losses", tuple(f"{RESULTS}/tables/losses.{kind}" for kind in ("tidy.csv", "csv", "md", "html"))),
    "failures": Stage("losses", tuple(f"{RESULTS}/figures/losses/failures.{kind}" for kind in ("png", "svg"))),
    "paper": Stage("paper", (f"{RESULTS}/paper",)),
    "study_report": Stage("report", (f"{RESULTS}/report.html",)),
}
TRIES = 5


def start(copy, target):
    copy.write()
    words = [sys.executable, "-m", "segstudy", "run", "study.yaml", "--verbose", "--", "--cores", "1", "--", target]
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(copy.folder / "workflow"), "PATH": path}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(words, cwd=copy.folder, env=environment, start_new_session=True, **pipes)


def remove(copy, stage):
    """Remove outputs and log of a job, and what a training keeps to restore its outputs from."""
    names = STAGES[stage].names
    for name in (f"{RESULTS}/logs/{stage}/{names}.log", f"{RESULTS}/resume/{names}.published", *STAGES[stage].outputs):
        path = copy.file(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def wait_for(copy, pattern):
    """Wait until a file is there."""
    ends = time.monotonic() + 120
    while not any(copy.folder.glob(pattern)):
        assert time.monotonic() < ends, f"no {pattern}"
        time.sleep(0.002)


def killed(copy, stage, delay):
    """Start a run and kill its whole process group while a job runs; return whether it had not been over before.

    `delay` are seconds after the job has opened its log; None waits until a training has saved how far it is.
    """
    said = []
    place = "resume/*/*/*/*/*/status.json" if delay is None else f"logs/{stage}/{STAGES[stage].names}.log"
    with start(copy, STAGES[stage].outputs[0]) as run:
        for line in run.stdout:
            said.append(line)
            if line.strip() in (f"rule {stage}:", f"localrule {stage}:"):
                wait_for(copy, f"{RESULTS}/{place}")
                time.sleep(delay or 0)
                with suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    text = "".join(said)
    assert run.returncode in (0, -signal.SIGKILL), text
    assert f"rule {stage}:" in text, text
    return run.returncode != 0 and "Finished jobid" not in text


def kill_while_it_runs(copy, stage, share):
    """Kill a run in a job, after this share of the seconds that it took before; sooner where it was over by then."""
    delay = share
    if share:
        lines = copy.file(f"{RESULTS}/benchmarks/{stage}/{STAGES[stage].names}.jsonl").read_text().splitlines()
        delay = share * json.loads(lines[0])["s"]
    for _ in range(TRIES):
        remove(copy, stage)
        if killed(copy, stage, delay):
            return
        delay = (delay or 0) / 2
    pytest.fail(f"{stage} was over {TRIES} times before it could be killed")


def bytes_of(copy, stage):
    places = [copy.file(name) for name in (*TRAINED, *STAGES[stage].outputs) if not name.endswith("run.json")]
    found = [file for place in places for file in (sorted(place.rglob("*")) if place.is_dir() else [place])]
    return {str(path.relative_to(copy.folder)): path.read_bytes() for path in found if path.is_file()}


def ends_as_before(finished, changed, stage, share):
    kill_while_it_runs(changed, stage, share)
    with start(changed, STAGES[stage].outputs[0]) as again:
        said = again.communicate()[0]
    assert again.returncode == 0, said
    assert "was killed and has left its lock" in said
    assert bytes_of(changed, stage) == bytes_of(finished, stage)


def test_killed_while_it_trains(finished, changed):
    ends_as_before(finished, changed, "train", share=None)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0, 0.3, 0.7])
@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_any_stage(finished, changed, stage, share):
    ends_as_before(finished, changed, stage, share)
