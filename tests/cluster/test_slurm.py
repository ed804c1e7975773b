"""`--profile slurm` over a real SLURM: jobs are cancelled, a node is lost, and the study ends with the same bytes."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from segstudy.runtime import live_status
from tests.helpers import slurm_daemons as slurm
from tests.helpers import study_copies as copies

# Its fixtures' helpers: a working copy of the project. A conftest of another folder has no name to be imported by.
CELLS = [f"drive/unet/{loss}/default/seed0" for loss in ("bce", "focal")]
COUNTS = [f"results/tiny/cells/{cell}/counts.csv" for cell in CELLS]
SAME = ("model.safetensors", "history.csv", "counts.csv", "thresholds.json")
# Nobody wants to wait half a minute for what takes a second here.
QUICK = ["--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "2"]
QUICK += ["--latency-wait", "5", "--slurm-status-command", "squeue", "--slurm-no-account"]
THREADS = ["--set-threads", "train=1", "predict=1"]

pytestmark = pytest.mark.timeout(1800)  # minutes long


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    executor = tmp_path_factory.mktemp("executor")
    reason = slurm.why_not() or slurm.install_executor(executor)
    if reason:
        pytest.skip(f"no SLURM: {reason}")
    started = slurm.Slurm(tmp_path_factory.mktemp("slurm"), executor)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study whose two cells have run on this machine, long enough for a job to be killed; their files' bytes."""
    copy = copies.new_copy(tmp_path_factory.mktemp("study"))
    del copy.study["datasets"]["ph2"]
    copy.study["recipes"]["default"]["epochs"] = 150
    copy.study["experiments"]["losses"] |= {"datasets": ["drive"], "seeds": 1}
    outcome = copy.snakemake(*COUNTS)
    assert outcome.code == 0, outcome.text
    folder = copy.file("results/tiny/cells")
    bytes_of = {f"{cell}/{name}": (folder / cell / name).read_bytes() for cell in CELLS for name in SAME}
    shutil.rmtree(folder)
    copy.forget_trainings()
    return copy, bytes_of


def submit(copy, cluster, *arguments):
    """Start Snakemake over the cluster; return its process."""
    copy.write()
    command = ["snakemake", *arguments, "--profile", "profiles/slurm", "--configfile", "study.yaml", *QUICK, *THREADS]
    path = f"{cluster.folder / 'bin'}:{Path(sys.executable).parent}:{slurm.PATH}"
    package = os.pathsep.join([str(copy.folder / "workflow"), str(cluster.executor)])
    environment = os.environ | {"PYTHONPATH": package, "PATH": path}
    with (copy.folder / "snakemake.out").open("ab") as out:
        return subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=out, stderr=out)


def training(copy, cell):
    """Return what a running training of the cell tells of itself, None where there is none."""
    return live_status.read(copy.file(f"results/tiny/resume/{cell}/status.json"))


def wait_for(what, ready, process, copy, seconds=600):
    end = time.monotonic() + seconds
    while not ready():
        told = copy.file("snakemake.out").read_text()[-6000:]
        assert process.poll() is None, f"Snakemake ended before {what}:\n{told}"
        assert time.monotonic() < end, f"no {what} in {seconds} s:\n{told}"
        time.sleep(0.2)


def begun(copy, cell, after=0):
    """Return whether another process than `after` trains the cell, and some epochs are done."""
    facts = training(copy, cell)
    return bool(facts) and facts["pid"] != after and facts["epoch"] > 3


@pytest.mark.slow
def test_cancelled_and_lost_jobs_end_with_the_same_bytes(cluster, study):
    copy, bytes_of = study
    process = submit(copy, cluster, *COUNTS)
    try:
        wait_for("training", lambda: begun(copy, CELLS[0]), process, copy)
        numbers = cluster.jobs()
        first = training(copy, CELLS[0])["pid"]
        cluster("scancel", *numbers)  # as an administrator would: whatever runs
        wait_for("training again", lambda: begun(copy, CELLS[0], first), process, copy)
        second = training(copy, CELLS[0])["pid"]
        lose_the_node(cluster, second)
        cluster.start_node()
        code = process.wait(timeout=900)
    finally:
        if process.poll() is None:
            process.kill()
    told = copy.file("snakemake.out").read_text()
    assert code == 0, told[-6000:]
    folder = copy.file("results/tiny/cells")
    for path, content in bytes_of.items():
        assert (folder / path).read_bytes() == content, path
    interruptions = [json.loads((folder / cell / "run.json").read_text())["interruptions"] for cell in CELLS]
    # A start that is killed before it saves anything leaves no trace: the lost node may count or not, and what the
    # other cell was doing when its job was cancelled nobody knows.
    assert interruptions[0] >= 1, told
    # A cell was one submission each time: training, prediction and measuring went together.
    assert "group_cell" in " ".join(path.name for path in copy.file(".snakemake/slurm_logs").iterdir())


def end_all_of(folder):
    """End what a job has left behind: without cgroups a process may outlive the job that the dead controller lost."""
    for process in psutil.process_iter(["cmdline"]):
        if process.pid != os.getpid() and any(str(folder) in word for word in process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def lose_the_node(cluster, pid):
    """Take away the node's daemon and everything it had started, as a power cut does."""
    daemon = cluster.daemons.pop("slurmd")
    steps = [p for p in psutil.process_iter(["name"]) if "slurmstepd" in (p.info["name"] or "")]
    victims = [*(child for step in steps for child in step.children(recursive=True)), *steps]
    daemon.kill()
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGKILL)
    daemon.wait()
    assert not alive(pid)


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_the_demo_study_with_cancelled_jobs_and_a_controller_that_dies(cluster, tmp_path):
    local, copy = (copies.new_copy(tmp_path / name) for name in ("local", "cluster"))
    for one in (local, copy):
        one.study = yaml.safe_load(one.file("studies/demo.yaml").read_text())
    outcome = local.snakemake(timeout=2400)
    assert outcome.code == 0, outcome.text
    process = submit(copy, cluster, "--jobs", "3")
    done = lambda: len(list(copy.file("results/demo/cells").glob("*/*/*/*/*/run.json")))
    try:
        wait_for("three cells", lambda: done() >= 3, process, copy, 1800)
        wait_for("running jobs", cluster.jobs, process, copy)
        cancelled = cluster.jobs()
        cluster("scancel", *cancelled)
        wait_for("six cells", lambda: done() >= 6, process, copy, 1800)
        cluster.daemons["slurmctld"].kill()
        time.sleep(20)  # nobody gets an answer, the jobs that run among them
        cluster.start_controller()
        code = process.wait(timeout=2400)
    finally:
        if process.poll() is None:
            process.kill()
        end_all_of(copy.folder)
    told = copy.file("snakemake.out").read_text()
    assert code == 0, told[-6000:]
    assert cancelled and "failed" in told
    paths = [path.relative_to(local.folder) for path in local.file("results/demo/cells").glob("*/*/*/*/*/*")]
    paths = [path for path in paths if path.name in SAME] + [
        path.relative_to(local.folder) for path in local.file("results/demo/tables").glob("*.tidy.csv")
    ]
    assert len(paths) > 40
    for path in paths:
        assert copy.file(path).read_bytes() == local.file(path).read_bytes(), path
    assert copy.file("results/demo/report.html").exists()


def alive(pid):
    """Return whether a process still runs after a while; what nobody has waited for yet does not."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.1)
    return True
