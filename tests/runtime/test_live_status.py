"""The line and the file of a running training, and what is told through them."""

import io
import json
import logging
import os
import pty
import select
import sys
import termios
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from segstudy.core import progress
from segstudy.runtime import live_status
from segstudy.runtime.job import job
from segstudy.training.reporter import Reporter

FACTS = {"epoch": 3, "epochs": 40, "step": 2, "steps": 5, "train_loss": 0.4123, "val_loss": 0.5, "val_dice": 0.81234}
FACTS |= {"images_per_second": 12.34, "seconds_left": 75.2}
LINE = "epoch 3/40, 1:15 left, val Dice 0.8123, 12.3 images/s, train loss 0.4123, val loss 0.5, step 2/5"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "resume/drive/unet/bce/default/seed0"


@pytest.fixture
def terminal():
    """A terminal of 200 columns, and a function that returns what has been written to it."""
    main, side = pty.openpty()
    termios.tcsetwinsize(side, (24, 200))

    def written():
        found = b""
        while select.select([main], [], [], 0.1)[0]:
            found += os.read(main, 65536)
        return found.decode()

    with os.fdopen(side, "w") as stream:
        yield stream, written
    os.close(main)


def test_told_names_what_is_known():
    assert live_status.format_status(FACTS) == LINE
    nothing = dict.fromkeys(("train_loss", "val_loss", "val_dice", "images_per_second", "seconds_left"))
    assert live_status.format_status(FACTS | nothing) == "epoch 3/40, step 2/5"


def test_a_lonely_training_rewrites_one_line_and_wipes_it(folder, terminal):
    stream, written = terminal
    shown = live_status.LiveStatus("train x", folder, stream)
    shown(FACTS)
    assert written() == f"\r\x1b[K[train x] {LINE}"
    assert live_status.read(folder / live_status.STATUS)["val_dice"] == 0.81234
    shown._last_shown = 0.0
    shown(FACTS | {"epoch": 4})
    assert "\n" not in (again := written()) and again.startswith("\r\x1b[K[train x] epoch 4/40")
    shown.close()
    assert written() == "\r\x1b[K"
    assert not folder.exists()


def test_it_is_shown_at_most_once_a_second(folder, terminal):
    shown = live_status.LiveStatus("train x", folder, terminal[0])
    shown(FACTS)
    shown(FACTS | {"epoch": 4})
    assert json.loads((folder / live_status.STATUS).read_text())["epoch"] == 3


def test_a_long_line_is_cut_to_the_terminal(folder, terminal):
    stream, written = terminal
    termios.tcsetwinsize(stream.fileno(), (24, 30))
    live_status.LiveStatus("train x", folder, stream)(FACTS)
    assert written() == "\r\x1b[K" + f"[train x] {LINE}"[:29]


def test_two_trainings_draw_no_line(folder, terminal):
    stream, written = terminal
    one, other = (
        live_status.LiveStatus("one", folder, stream),
        live_status.LiveStatus("other", folder.with_name("seed1"), stream),
    )
    one(FACTS)
    assert one.drawn
    other(FACTS)
    assert not other.drawn
    one._last_shown = 0.0
    one(FACTS)
    assert not one.drawn
    assert written().endswith("\r\x1b[K")  # the line is gone
    other.close()
    one._last_shown = 0.0
    one(FACTS)
    assert one.drawn


def test_a_state_beside_it_is_left_alone(folder):
    shown = live_status.LiveStatus("x", folder, io.StringIO())
    shown(FACTS)
    (folder / "state.pt").touch()
    shown.close()
    assert [path.name for path in folder.iterdir()] == ["state.pt"]


def test_without_a_terminal_there_is_a_file_and_no_line(folder):
    stream = io.StringIO()
    live_status.LiveStatus("x", folder, stream)(FACTS)
    assert stream.getvalue() == "" and (folder / live_status.STATUS).exists()


def test_a_full_disk_or_a_closed_terminal_stops_nothing(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    shown = live_status.LiveStatus("x", folder, io.StringIO())
    shown(FACTS)
    shown.close()
    assert not (folder / live_status.STATUS).exists()


def test_a_dead_training_is_not_read(folder):
    shown = live_status.LiveStatus("x", folder, io.StringIO())
    shown(FACTS)
    path, facts = folder / live_status.STATUS, json.loads((folder / live_status.STATUS).read_text())
    assert facts["pid"] == os.getpid() and live_status.read(path) == facts
    path.write_text(json.dumps(facts | {"begun": facts["begun"] - 1}))  # the number belongs to a newer process
    assert live_status.read(path) is None
    gone = max(psutil.pids()) + 10_000
    path.write_text(json.dumps(facts | {"pid": gone}))
    assert live_status.read(path) is None
    path.write_text(json.dumps(facts | {"host": "elsewhere"}))
    assert live_status.read(path)
    path.write_text(json.dumps(facts | {"host": "elsewhere", "updated": facts["updated"] - 1000}))
    assert live_status.read(path) is None
    path.write_text("{")
    assert live_status.read(path) is None


def test_a_reporter_reports_every_step_and_keeps_the_last_validation():
    reports = []
    row = {"train_loss": 0.5, "val_loss": 0.4, "val_dice": 0.9, "best": 1, "learning_rate": 0.1}
    with progress.watch_progress(reports.append):
        report = Reporter(10, 4, 80, SimpleNamespace(epoch=3, step=2, history=[row]))
        report.begun -= 6.0
        report.step(3, 3)
        report.last -= 6.0
        report.epoch(row | {"epoch": 3, "val_loss": float("nan"), "val_dice": float("nan"), "train_loss": 0.3})
        report.step(4, 1)
    report.step(4, 2)
    assert [(facts["epoch"], facts["step"]) for facts in reports] == [(3, 3), (4, 1)]
    assert reports[0]["images_per_second"] == pytest.approx(20 / 6, rel=0.01)  # a quarter of an epoch in 6 s
    assert reports[0]["seconds_left"] == pytest.approx(6 * 4 * 7.25, rel=0.01)
    assert (reports[0]["train_loss"], reports[1]["train_loss"], reports[1]["val_dice"]) == (0.5, 0.3, 0.9)
    assert reports[1]["images_per_second"] == pytest.approx(40 / 6, rel=0.01)  # the epoch's second half in 6 s
    assert len(reports) == 2  # nobody watched at the last step


def test_a_training_that_went_on_after_the_last_step_of_an_epoch_knows_no_speed_yet(caplog):
    row = {"train_loss": 0.5, "val_loss": 0.4, "val_dice": 0.9, "best": 1, "learning_rate": 0.1, "epoch": 3}
    reports = []
    with caplog.at_level("DEBUG"), progress.watch_progress(reports.append):
        report = Reporter(10, 4, 80, SimpleNamespace(epoch=3, step=4, history=[]))
        report.epoch(row)
        report.begun -= 6.0
        report.step(4, 1)
        report.epoch(row | {"epoch": 4})
    resumed, later = caplog.messages
    assert resumed.endswith("rate 0.1") and later.endswith(" left") and "images/s" in later
    assert reports[0]["seconds_left"] == pytest.approx(6 * 4 * 6.75, rel=0.01)


def test_a_job_shows_its_training_and_no_epochs_beside_it(folder, terminal, tmp_path, monkeypatch):
    stream, written = terminal
    monkeypatch.setattr(sys, "stderr", stream)
    rule = SimpleNamespace(rule="train", threads=1, wildcards={"seed": "0"}, log=[tmp_path / "train.log"])
    logger = logging.getLogger("segstudy")
    with job(rule, resume=folder):
        logger.info("data set: in memory")
        progress.report_progress(FACTS)
        logger.info("epoch 3/40", extra={"epoch": 3})
        logger.warning("memory is short")
    shown = written()
    assert "epoch 3/40\n" not in shown.replace("\r\n", "\n") and f"[train seed0] {LINE}" in shown
    assert "\r\x1b[K[train seed0] memory is short" in shown and shown.endswith("\r\x1b[K")
    assert "epoch 3/40" in Path(rule.log[0]).read_text()
