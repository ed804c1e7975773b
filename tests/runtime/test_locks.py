"""Locks of killed runs: removed where their process is known to be gone, kept where that cannot be known."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from segstudy.core.errors import StudyError
from segstudy.runtime import children, environment, locks

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("results/tiny")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    locks.LOCKS.mkdir(parents=True)
    (locks.LOCKS / "0.output.lock").write_text("results/tiny/report.html\n")
    (locks.LOCKS / "0.input.lock").write_text("resources/x\n")
    return tmp_path


def recorded(pid, begun, host=None, executor="local"):
    locks.RUNS.mkdir(exist_ok=True)
    facts = {"host": host or socket.gethostname(), "pid": pid, "begun": begun, "executor": executor}
    (locks.RUNS / f"{pid}.json").write_text(json.dumps(facts))


def kept(says):
    with pytest.raises(StudyError) as caught:
        locks.release(RESULTS)
    assert says in str(caught.value)
    assert len(list(locks.LOCKS.iterdir())) == 2
    return str(caught.value)


def test_the_lock_of_a_process_that_is_gone_is_removed(folder):
    recorded(os.getpid(), begun=1.0)  # its number is another process's by now
    assert "was killed and has left its lock" in locks.release(RESULTS)
    assert not list(locks.LOCKS.iterdir()) and not list(locks.RUNS.iterdir())
    assert locks.release(RESULTS) == ""


def test_the_lock_of_a_running_snakemake_is_kept(folder):
    with subprocess.Popen(["sleep", "60"]) as other:
        recorded(other.pid, psutil.Process(other.pid).create_time())
        assert f"(process {other.pid})" in kept("Snakemake is at work on this study already")
        other.kill()


def test_a_snakemake_without_a_record_is_seen_too(folder):
    script = folder / "snakemake"
    script.write_text("import time; time.sleep(60)")
    with subprocess.Popen([sys.executable, script]) as other:
        kept("Snakemake is at work on this study already")
        other.kill()
    with subprocess.Popen([sys.executable, script, "--mode", "subprocess"]) as job:
        assert locks.at_work(folder) == []
        job.kill()


def test_the_lock_of_another_study_is_none_of_ours(folder):
    assert locks.release(Path("results/other")) == "" and len(list(locks.LOCKS.iterdir())) == 2


def test_a_run_on_another_host_is_named(folder):
    recorded(17, 1.0, host="node7")
    assert "look on node7 whether it runs (ps 17)" in kept("started on node7 (process 17)")


def test_jobs_of_a_queue_may_run_on(folder):
    recorded(os.getpid(), 1.0, executor="slurm")
    kept("jobs that it had sent to slurm may still run")


@pytest.mark.parametrize(("system", "removed"), [("ext4", True), ("nfs4", False), ("", False)])
def test_without_any_record_the_disk_decides(folder, monkeypatch, system, removed):
    monkeypatch.setattr(locks, "_file_system", lambda _: system)
    if removed:
        assert locks.release(RESULTS)
    else:
        kept("it cannot be known on which machine")


def test_a_record_goes_with_its_process(folder):
    words = "from segstudy.runtime import locks; locks.record('local'); assert locks.recorded()[0].alive"
    subprocess.run([sys.executable, "-c", words], check=True, env=os.environ | {"PYTHONPATH": f"{ROOT}/workflow"})
    assert locks.RUNS.is_dir() and not locks.recorded()


def test_a_killed_process_that_nobody_has_collected_does_not_run(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    run = locks.Run(
        tmp_path / "r.json", socket.gethostname(), child.pid, psutil.Process(child.pid).create_time(), "local"
    )
    assert run.alive
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the list of processes
    assert psutil.pid_exists(child.pid) and not run.alive
    child.wait()


HOLD = """
import sys, time
from pathlib import Path
from segstudy.runtime.locks import alone
with alone(Path("resume")):
    print("held", flush=True)
    time.sleep(float(sys.argv[1]))
"""


def holder(seconds):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/workflow"}
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(seconds)], stdout=subprocess.PIPE, env=environment)
    assert other.stdout.readline() == b"held\n"
    return other


def test_a_cell_is_trained_by_one_process_at_a_time(folder, caplog):
    caplog.set_level("INFO", "segstudy")
    with holder(0.5) as other, locks.alone(Path("resume")):
        assert other.wait() == 0
        assert f"another process (process {other.pid} on" in caplog.text
    assert not Path("resume").exists()


def test_the_wait_for_another_training_ends(folder):
    with holder(60) as other:
        with pytest.raises(StudyError, match=f"being trained by another process already .process {other.pid} "):
            locks.alone(Path("resume"), patience=0.2).__enter__()
        other.kill()
        other.wait()
        with locks.alone(Path("resume"), patience=0.2):  # a killed process holds nothing
            Path("resume/state.pt").touch()
    assert [path.name for path in Path("resume").iterdir()] == ["state.pt"]


def test_the_folder_may_go_while_its_lock_is_held(folder):
    with locks.alone(Path("resume")):
        Path("resume/lock").unlink()
        Path("resume").rmdir()
        with locks.alone(Path("resume"), patience=0.2):
            pass


RUN = """
import signal, sys
from segstudy.runtime import children
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and children inherit that
sys.exit(children.code(children.start([sys.executable, "-c", sys.argv[1]])))
"""
GRANDCHILD = """
import signal, subprocess, sys, time
inner = "import time\\ntry: print('ready', flush=True); time.sleep(60)\\nexcept KeyboardInterrupt: print('saved')"
one = subprocess.Popen([sys.executable, "-c", inner])
try: time.sleep(60)
except KeyboardInterrupt: one.wait(); print('unlocked', flush=True); sys.exit(7)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2, signal.SIGINT])
def test_what_asks_to_go_interrupts_all_that_was_started(number):
    words = [sys.executable, "-c", RUN, GRANDCHILD]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/workflow"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(number)
        assert process.communicate()[0].split() == ["saved", "unlocked"]
        assert process.returncode == 7


def test_a_child_that_a_signal_has_ended_has_the_code_of_a_shell():
    child = subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert children.code(child) == 137


def test_caches_go_where_they_can_be_written(folder):
    home = folder / "home"
    home.mkdir()
    assert environment.caches({"HOME": str(home)}) == {}
    assert sorted(environment.caches({"HOME": "/proc/none"})) == ["MPLCONFIGDIR", "XDG_CACHE_HOME"]
    found = environment.caches({"HOME": str(home), "XDG_CACHE_HOME": "/dev/null/cache"})
    assert found == {"XDG_CACHE_HOME": str(folder / ".snakemake/xdg_cache_home")}


def test_a_folder_that_cannot_be_written_is_named(folder):
    with pytest.raises(StudyError, match="this folder cannot be written"):
        environment.check_writable(Path("/proc/none"))
