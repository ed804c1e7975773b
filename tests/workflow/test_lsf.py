"""`snakemake --profile lsf` over a stand-in for LSF: jobs are killed in every way, and the cells are the same bytes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from segstudy.runtime import live_status
from tests.helpers.lsf_commands import ENDED
from tests.helpers.lsf_stand_in import Lsf
from tests.helpers.lsf_syntax import parsed
from tests.helpers.study_copies import new_copy

CELLS = [f"drive/unet/{loss}/default/seed0" for loss in ("bce", "focal")]
COUNTS = [f"results/tiny/cells/{cell}/counts.csv" for cell in CELLS]
SAME = ("model.safetensors", "history.csv", "counts.csv", "thresholds.json")
QUICK = ["--max-status-checks-per-second", "5", "--seconds-between-status-checks", "1", "--latency-wait", "5"]
# The first attempt of a prediction is given less than it needs.
SMALL = {"mem_mb": "100 if attempt == 1 else 4000"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two cells that have run on this machine, long enough for a job to be killed; their files' bytes."""
    copy = new_copy(tmp_path_factory.mktemp("study"))
    del copy.study["datasets"]["ph2"]
    copy.study["recipes"]["default"]["epochs"] = 150
    copy.study["experiments"]["losses"] |= {"datasets": ["drive"], "seeds": 1}
    outcome = copy.snakemake(*COUNTS)
    assert outcome.code == 0, outcome.text
    change_profile(copy, SMALL)
    folder = copy.file("results/tiny/cells")
    bytes_of = {f"{cell}/{name}": (folder / cell / name).read_bytes() for cell in CELLS for name in SAME}
    shutil.rmtree(folder)
    copy.forget_trainings()
    return copy, bytes_of


def change_profile(copy, of_predictions=()):
    """One core for a training, as on this machine.

    Not by options: those of the command line take the place of the profile's whole block, queues and GPUs too.
    """
    path = copy.file("profiles/lsf/config.yaml")
    profile = yaml.safe_load(path.read_text())
    profile["set-threads"] = dict.fromkeys(profile["set-threads"], 1)
    profile["set-resources"]["predict"] = profile["set-resources"]["predict"] | dict(of_predictions)
    path.write_text(yaml.safe_dump(profile))


def begin(copy, lsf, *arguments):
    """Start Snakemake over the cluster; return its process."""
    copy.write()
    path = f"{Path(sys.executable).parent}:{lsf.environment['PATH']}"
    environment = os.environ | lsf.environment | {"PYTHONPATH": str(copy.folder / "workflow"), "PATH": path}
    command = ["snakemake", *arguments, "--profile", "lsf", "--configfile", "study.yaml", *QUICK]
    with (copy.folder / "snakemake.out").open("wb") as out:
        return subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=out, stderr=out)


def wait_for(what, ready, process, copy, seconds=400):
    end = time.monotonic() + seconds
    while not (found := ready()):
        told = copy.file("snakemake.out").read_text()[-6000:]
        assert process.poll() is None, f"Snakemake ended before {what}:\n{told}"
        assert time.monotonic() < end, f"no {what} in {seconds} s:\n{told}"
        time.sleep(0.2)
    return found


def jobs_of(lsf, rule, **wildcards):
    """Return the jobs of a rule that were submitted, oldest first."""
    words = [f"{name}={value}" for name, value in wildcards.items()]
    names = [(job, re.fullmatch(r"Snakemake_rule_(\w+):(.*)___\(.*\)", job["name"])) for job in lsf.jobs()]
    return [job for job, name in names if name and name[1] == rule and set(words) <= set(name[2].split(","))]


def strike(copy, lsf, pending):
    """Do to every training what `pending` says as soon as it runs; return whether nothing is left to be done."""
    for loss in list(pending):
        status = copy.file(f"results/tiny/resume/drive/unet/{loss}/default/seed0/status.json")
        if (live_status.read(status) or {}).get("epoch", 0) > 3:
            pending.pop(loss)(jobs_of(lsf, "train", loss=loss)[-1]["id"])
    return not pending


@pytest.mark.slow
def test_killed_lost_and_vanished_jobs_end_with_the_same_bytes(study, tmp_path):
    copy, bytes_of = study
    with Lsf(tmp_path / "lsf", slots=2, interval=5) as lsf:
        process = begin(copy, lsf, *COUNTS)
        try:
            # One training is killed by its owner, the other meets its walltime.
            bkill = lambda number: subprocess.run(["bkill", str(number)], env=os.environ | lsf.environment, check=True)
            pending = {"bce": bkill, "focal": lsf.expire}
            wait_for("training", lambda: strike(copy, lsf, pending), process, copy)
            # What has been done is forgotten by bjobs before anybody asks.
            done = wait_for(
                "measuring",
                lambda: [job for job in jobs_of(lsf, "measure") if job["stat"] == "DONE"],
                process,
                copy,
            )
            lsf.clean(done[0]["id"])
            code = process.wait(timeout=400)
        finally:
            if process.poll() is None:
                process.kill()
        told = copy.file("snakemake.out").read_text()
        assert code == 0, told[-6000:]
        assert lsf.most["slots"] <= 2
        ends = {loss: [job.get("reason") for job in jobs_of(lsf, "train", loss=loss)] for loss in ("bce", "focal")}
        assert ends == {"bce": ["TERM_OWNER", ""], "focal": ["TERM_RUNLIMIT", ""]}, told[-6000:]
        limited = jobs_of(lsf, "train", loss="focal")[0]
        assert limited["code"] == 140
        assert "TERM_RUNLIMIT" in Path(parsed(limited["arguments"]).options["-o"]).read_text()
        memory = [job.get("reason") for job in jobs_of(lsf, "predict")]
        assert sorted(memory) == ["", "", "TERM_MEMLIMIT", "TERM_MEMLIMIT"]
        assert {job["queue"] for job in jobs_of(lsf, "measure")} == {"hpc"}
        assert {job["queue"] for job in [*jobs_of(lsf, "train"), *jobs_of(lsf, "predict")]} == {"gpuv100"}
    folder = copy.file("results/tiny/cells")
    for path, content in bytes_of.items():
        assert (folder / path).read_bytes() == content, path
    interruptions = {cell: json.loads((folder / cell / "run.json").read_text())["interruptions"] for cell in CELLS}
    assert interruptions == dict.fromkeys(CELLS, 1)


@pytest.mark.slow
def test_ctrl_c_and_a_dropped_session(study, tmp_path):
    copy, bytes_of = study
    folder = copy.file("results/tiny/cells")
    shutil.rmtree(folder, ignore_errors=True)
    copy.forget_trainings()
    status = copy.file(f"results/tiny/resume/{CELLS[0]}/status.json")
    trains = lambda: (live_status.read(status) or {}).get("epoch", 0) > 3
    with Lsf(tmp_path / "lsf", slots=2, interval=5) as lsf:
        # Ctrl-C: Snakemake takes its jobs back, and their trainings save.
        process = begin(copy, lsf, *COUNTS)
        wait_for("training", trains, process, copy)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 1
        told = copy.file("snakemake.out").read_text()
        assert "Cancelling snakemake on user request" in told or "Terminating processes on user request" in told
        wait_until(lambda: all(job["stat"] in ENDED for job in lsf.jobs()))
        assert {job["reason"] for job in lsf.jobs()} == {"TERM_OWNER"}
        # The session drops: Snakemake is gone without a word, and its jobs run on.
        process = begin(copy, lsf, *COUNTS)
        wait_for("training again", trains, process, copy)
        process.kill()
        process.wait()
        wait_until(lambda: all(job["stat"] in ENDED for job in lsf.jobs()))
        trained = {job["id"] for job in jobs_of(lsf, "train") if job["stat"] == "DONE"}
        assert trained, "a job that had begun was done"
        assert begin(copy, lsf, *COUNTS).wait(timeout=120) == 1
        assert "--unlock" in copy.file("snakemake.out").read_text()
        assert begin(copy, lsf, *COUNTS, "--unlock").wait(timeout=120) == 0
        code = begin(copy, lsf, *COUNTS).wait(timeout=600)
        assert code == 0, copy.file("snakemake.out").read_text()[-6000:]
    for path, content in bytes_of.items():
        assert (folder / path).read_bytes() == content, path


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_whole_study_of_which_a_node_is_lost(finished, fresh, tmp_path):
    change_profile(fresh)
    running = lambda: [job for job in jobs_of(lsf, "train") if job["stat"] == "RUN"]
    with Lsf(tmp_path / "lsf", slots=2) as lsf:
        process = begin(fresh, lsf)
        try:
            lsf.lose(wait_for("training", running, process, fresh, 1200)[0]["id"])
            code = process.wait(timeout=2400)
        finally:
            if process.poll() is None:
                process.kill()
        assert code == 0, fresh.file("snakemake.out").read_text()[-6000:]
        states = [job["stat"] for job in jobs_of(lsf, "train")]
    cells = [
        path.relative_to(finished.folder).parent for path in finished.folder.glob("results/tiny/cells/**/counts.csv")
    ]
    assert sorted(states) == ["DONE"] * len(cells) + ["UNKWN"]
    paths = [cell / name for cell in cells for name in SAME]
    paths += [Path("results/tiny/tables/losses.tidy.csv"), Path("results/tiny/tables/losses.strata.csv")]
    for path in paths:
        assert fresh.file(path).read_bytes() == finished.file(path).read_bytes(), path
    assert fresh.file("results/tiny/report.html").exists()


def wait_until(ready, seconds=300):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.2)
