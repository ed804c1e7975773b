"""How a study stands, from the files its jobs leave; alone and below the command that runs it."""

import copy
import io
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from segstudy.config import dependencies
from segstudy.config.load import load_study
from segstudy.runtime import live_status
from segstudy.study import status, status_view

CONFIG = {
    "study": "small",
    "datasets": {"ph2": {"phantom": {"images": 16}}, "drive": {"phantom": {"images": 10}}},
    "models": {"unet": {}, "encdec": {}},
    "losses": {"bce": {}},
    "recipes": {"default": {"epochs": 20}},
    "experiments": {
        "all": {
            "question": "What is running?",
            **{"datasets": ["ph2", "drive"], "models": ["unet", "encdec"], "losses": ["bce"], "seeds": 2},
        }
    },
}
STUDY = load_study(CONFIG)
CELLS = {f"{cell.dataset}/{cell.model}/{cell.seed}": cell for cell in STUDY.cells}
FACTS = {"epoch": 6, "epochs": 20, "step": 5, "steps": 5, "train_loss": 0.4, "val_loss": 0.5, "val_dice": 0.81234}
FACTS |= {"images_per_second": 12.34, "seconds_left": 70.0}


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results/small"


def finish(results, name, steps=90.0, measured=True):
    path = results / "cells" / CELLS[name].path / "run.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if measured:
        (path.parent / "counts.csv").touch()
    path.write_text(json.dumps({"seconds": {"steps": steps, "validation": 8.0, "saving": 2.0, "total": 3.0}}))


def start(results, name, **facts):
    shown = live_status.LiveStatus(name, results / "resume" / CELLS[name].path, io.StringIO())
    shown(FACTS | facts)
    return shown


def fail(results, name, message, rule="train", log=""):
    path = results / "logs" / rule / f"{log or CELLS[name].path}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"10:00:00 INFO data set\n\nError in {rule} {CELLS[name].path}: {message}\n  where: epoch 3\n")


def states(results):
    found = status.trainings(STUDY, results)
    return {f"{t.cell.dataset}/{t.cell.model}/{t.cell.seed}": t.state for t in found if t.state != "waiting"}


def printed(results, width=140):
    console = Console(file=io.StringIO(), width=width)
    console.print(status_view.view(status.trainings(STUDY, results)))
    return console.file.getvalue()


def test_every_state_is_told_from_the_files(results):
    assert states(results) == {}
    finish(results, "ph2/unet/0")
    start(results, "ph2/unet/1")
    fail(results, "drive/unet/0", "the loss is nan: the training has diverged")
    fail(results, "drive/unet/1", "stopped by SIGTERM at epoch 3 step 2; state saved; run the same command to continue")
    state = results / "resume" / CELLS["drive/unet/1"].path / "state.pt"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.touch()
    told = {"ph2/unet/0": "done", "ph2/unet/1": "running", "drive/unet/0": "failed", "drive/unet/1": "stopped"}
    assert states(results) == told
    shown = printed(results)
    assert "failed: drive/unet/bce/default/seed0: the loss is nan: the training has diverged\n" in shown
    assert "1 of 8 cells done, 1 running, 1 stopped, 1 failed, 4 waiting" in shown
    row = next(line for line in shown.splitlines() if "ph2/unet/bce/default/seed1" in line)
    assert row.split()[1:] == ["6/20", "0.4", "0.5", "0.8123", "12.3", "1:10"]


def test_a_cell_is_done_when_it_is_measured(results):
    finish(results, "ph2/unet/0", measured=False)
    finish(results, "ph2/unet/1", measured=False)
    fail(results, "ph2/unet/1", "the disk is full", rule="measure")
    assert states(results) == {"ph2/unet/0": "trained", "ph2/unet/1": "failed"}
    shown = printed(results)
    assert "failed: ph2/unet/bce/default/seed1: measure: the disk is full\n" in shown
    assert "0 of 8 cells done, 1 trained and not measured yet, 1 failed, 6 waiting" in shown


def test_what_stops_a_data_set_is_said_once(results):
    fail(results, "drive/unet/0", "the folder of DRIVE does not exist", rule="index", log="drive")
    assert states(results) == {f"drive/{m}/{s}": "failed" for m in ("unet", "encdec") for s in (0, 1)}
    shown = printed(results)
    assert "failed: drive/unet/bce/default/seed0 and 3 more: index: the folder of DRIVE does not exist\n" in shown
    assert shown.count("failed:") == 1
    fail(results, "drive/unet/0", "", rule="index", log="drive")  # repaired and running again
    (results / "logs/index/drive.log").write_text("")
    assert states(results) == {}


def test_the_list_has_a_line_for_every_cell(results):
    finish(results, "ph2/unet/0")
    finish(results, "ph2/encdec/0", measured=False)
    start(results, "ph2/unet/1")
    fail(results, "drive/unet/0", "the loss is nan")
    for name, age in (("drive/unet/1", 100), ("drive/encdec/0", 10)):
        log = results / "logs/train" / f"{CELLS[name].path}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        os.utime(log, (time.time() - age, time.time() - age))
    console = Console(file=io.StringIO(), width=400)
    console.print(status_view.listing(status.trainings(STUDY, results), results))
    lines = {line.split()[0]: line.split()[1:] for line in console.file.getvalue().splitlines()[3:] if line.strip()}
    assert set(lines) == {cell.path for cell in STUDY.cells}
    said = {name: " ".join(lines[cell.path]) for name, cell in CELLS.items()}
    assert said["ph2/unet/0"] == "done trained in 1:40"
    assert said["ph2/encdec/0"] == "trained in 1:40, not measured yet"
    assert said["ph2/unet/1"].startswith("running epoch 6/20, 1:10 left, val Dice 0.8123")
    assert said["drive/unet/0"] == "failed the loss is nan"
    assert said["drive/unet/1"].startswith("waiting its job ended without a word")
    assert said["drive/encdec/0"] == "waiting its job has just begun, or was killed a moment ago"
    assert said["drive/encdec/1"] == "waiting not begun"


def test_cells_that_others_start_from_are_among_them(results):
    config = copy.deepcopy(CONFIG)
    config["recipes"]["tuned"] = {"start_from": {"recipe": "default"}}
    config["experiments"]["all"] |= {"recipes": ["tuned"], "datasets": ["ph2"], "models": ["unet"], "seeds": 1}
    study = load_study(config)
    assert [cell.recipe for cell in dependencies.ancestors(study)] == ["default"]
    finish(results, "ph2/unet/0", measured=False)  # nobody measures it
    found = status.trainings(study, results)
    assert [(t.cell.recipe, t.state) for t in found] == [("default", "done"), ("tuned", "waiting")]


def test_a_killed_training_counts_as_stopped_with_a_state_and_waits_without(results):
    shown = start(results, "ph2/unet/0")
    facts = json.loads(shown.path.read_text())
    shown.path.write_text(json.dumps(facts | {"begun": 0.0}))
    assert states(results) == {}
    (shown.path.parent / "state.pt").touch()
    assert states(results) == {"ph2/unet/0": "stopped"}


def left(results):
    return status.seconds_left(status.trainings(STUDY, results))


def test_the_time_left_by_hand(results):
    assert left(results) is None
    finish(results, "ph2/unet/0")  # 100 s
    # Nothing runs: seven cells, all of them taken to last as long, one after the other.
    assert left(results) == pytest.approx(700)
    start(results, "ph2/unet/1")  # 6 of 20 epochs done, 70 s left: 100 s in all
    start(results, "drive/unet/0", epoch=11, step=0, seconds_left=30.0)  # half done: 60 s in all
    # Two at once: 70 + 30 s, two of PH2 (encdec) at 100 s, three of DRIVE at 60 s.
    assert left(results) == pytest.approx((70 + 30 + 2 * 100 + 3 * 60) / 2)


def test_the_last_training_is_not_shared_by_idle_cores(results):
    for name in list(CELLS)[2:]:
        finish(results, name)
    one, other = list(CELLS)[:2]
    start(results, one, seconds_left=200.0)
    start(results, other, seconds_left=0.0)
    assert left(results) == 200


def test_a_record_that_is_made_again_is_read_again(results):
    finish(results, "ph2/unet/0")
    path = results / "cells" / CELLS["ph2/unet/0"].path / "run.json"
    assert left(results) == pytest.approx(700)
    path.write_text(json.dumps({"seconds": {"steps": 10.0, "validation": 0.0, "saving": 0.0}}))
    os.utime(path, ns=(1, 1))
    assert left(results) == pytest.approx(70)


# Stands in for Snakemake: `python -m snakemake` finds it first.
JOB = """
import sys, time
print("[Sat] rule train", flush=True)
print("[train ph2] epoch 3/20: train loss 0.4", flush=True)
print("7 of 95 steps (7%) done", flush=True)
print("[8/95] train ph2/unet (0:07)", flush=True)
time.sleep(2.5)
print(sys.stdout.isatty(), file=sys.stderr, flush=True)
sys.exit(3)
"""

# A shell that starts tests in the background lets them ignore Ctrl-C.
INTERRUPTED = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # without a terminal the group's signal comes twice
    print("saved")
"""


@pytest.fixture
def folder(tmp_path, results):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "Snakefile").touch()
    finish(results, "ph2/unet/0")
    start(results, "ph2/unet/1")
    return tmp_path


def snakemake_is(folder, job):
    (folder / "stand-in/snakemake").mkdir(parents=True)
    (folder / "stand-in/snakemake/__init__.py").touch()
    (folder / "stand-in/snakemake/__main__.py").write_text(job)


def command(folder, name, *arguments):
    package = str(Path(status.__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": f"{folder}/stand-in:{package}", "TERM": "xterm-256color"}
    for variable in ("COLUMNS", "SNAKEMAKE_PROFILE"):
        environment.pop(variable, None)
    return [sys.executable, "-m", "segstudy", name, "study.yaml", *arguments], environment


def on_a_terminal(folder, name, *arguments, until=""):
    """Run the command on a terminal, interrupted once it has shown `until`; return text and exit code."""
    main, side = pty.openpty()
    termios.tcsetwinsize(side, (30, 140))
    words, environment = command(folder, name, *arguments)
    process = subprocess.Popen(words, cwd=folder, env=environment, stdin=side, stdout=side, stderr=side)
    os.close(side)
    shown, end = b"", time.monotonic() + 120
    while time.monotonic() < end:
        if select.select([main], [], [], 0.2)[0]:
            try:
                shown += os.read(main, 65536)
            except OSError:  # the other side is closed
                break
        if until and until in shown.decode(errors="replace"):
            process.send_signal(2)
            until = ""
    os.close(main)
    return shown.decode(), process.wait(timeout=60)


def test_a_command_runs_above_the_state_of_the_study(folder):
    snakemake_is(folder, JOB)
    shown, code = on_a_terminal(folder, "run")
    assert code == 3
    assert "[Sat] rule train\r\n" in shown and "False\r\n" in shown  # the job itself sees a pipe and draws no line
    assert "epoch 3/20" not in shown
    assert "[8/95]" not in shown and "8 of 95 jobs, 1 of 8 cells done, 1 running, 6 waiting" in shown
    assert "ph2/unet/bce/default/seed1" in shown


def test_without_a_terminal_the_command_is_all_there_is(folder):
    snakemake_is(folder, JOB)
    words, environment = command(folder, "run")
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout.splitlines() == [
        "[Sat] rule train",
        "[train ph2] epoch 3/20: train loss 0.4",
        "7 of 95 steps (7%) done",
        "[8/95] train ph2/unet (0:07)",
    ]


def test_ctrl_c_is_the_commands_to_act_on(folder):
    snakemake_is(folder, INTERRUPTED)
    words, environment = command(folder, "run")
    main, side = pty.openpty()
    process = subprocess.Popen(
        words, cwd=folder, env=environment, stdin=side, stdout=side, stderr=side, start_new_session=True
    )
    shown = b""
    while b"begun" not in shown:
        shown += os.read(main, 65536)
    os.killpg(process.pid, 2)  # as the terminal does
    while b"saved" not in shown:
        shown += os.read(main, 65536)
    assert process.wait(timeout=60) == 0
    os.close(side)
    os.close(main)


def test_watching_ends_with_ctrl_c(folder):
    shown, code = on_a_terminal(folder, "status", "--watch", until="about")
    assert code == 130
    assert "1 of 8 cells done, 1 running, 6 waiting, about" in shown


def test_watching_ends_when_all_is_done(folder, results):
    for name in list(CELLS)[1:]:
        if name != "ph2/unet/0":
            finish(results, name)
    shown, code = on_a_terminal(folder, "status", "--watch")
    assert code == 0 and "8 of 8 cells done" in shown
