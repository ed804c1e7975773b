"""The frame of every rule's script: what goes to the log, what to the terminal, and how errors end."""

import errno
import logging
import os
import signal
from types import SimpleNamespace

import pytest

from segstudy.core.errors import StudyError
from segstudy.core.progress import clock, track
from segstudy.runtime.environment import check_place
from segstudy.runtime.job import explain, job, repeating_command


class Names(dict):
    """Stands in for Snakemake's named lists."""

    def __getitem__(self, key):
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)


@pytest.fixture
def rule(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    wildcards = {"dataset": "drive", "seed": "0"}
    names = {"rule": "train", "threads": 2, "wildcards": wildcards, "log": [tmp_path / "logs/train.log"]}
    return SimpleNamespace(**names, output=Names(model="results/x/a b.safetensors"))


def log_of(rule):
    return rule.log[0].read_text()


def test_information_goes_to_both_details_to_the_log_alone(rule, capsys):
    with job(rule):
        logging.getLogger("segstudy").info("half way")
        logging.getLogger("segstudy").debug("every step")
        print("from a library")
    shown = capsys.readouterr().err
    assert "[train drive/seed0] half way" in shown and "every step" not in shown and "library" not in shown
    assert "half way" in log_of(rule) and "every step" in log_of(rule) and "from a library" in log_of(rule)


def test_a_quiet_job_says_warnings_and_what_is_notable_alone(rule, capsys, monkeypatch):
    monkeypatch.setenv("SEGSTUDY_QUIET", "1")
    with job(rule):
        logging.getLogger("segstudy").info("taken over", extra={"notable": True})
        logging.getLogger("segstudy").info("half way")
        logging.getLogger("segstudy").warning("left out")
    shown = capsys.readouterr().err
    assert "half way" not in shown and "[train drive/seed0] left out" in shown and "half way" in log_of(rule)
    assert "[train drive/seed0] taken over" in shown


def test_libraries_get_the_threads_of_the_rule(rule):
    with job(rule):
        assert os.environ["OMP_NUM_THREADS"] == "2"


def test_a_users_error_is_one_message_without_traceback(rule, capsys):
    with pytest.raises(SystemExit) as ended, job(rule):
        raise StudyError("a mask is missing", where="raw/1.png", allowed="a mask for each", remedy="add it")
    assert ended.value.code == 1
    shown = capsys.readouterr().err
    assert "Error in train drive/seed0: a mask is missing\n  where:   raw/1.png" in shown
    assert "Traceback" not in shown + log_of(rule)
    assert "to do:   add it" in log_of(rule)


def test_a_defect_keeps_its_traceback_in_the_log(rule, capsys):
    with pytest.raises(SystemExit), job(rule):
        raise KeyError("nowhere")
    shown = capsys.readouterr().err
    assert "unexpected KeyError" in shown and str(rule.log[0]) in shown and "Traceback" not in shown
    assert "Traceback" in log_of(rule)


def test_a_full_disk_is_said_with_the_file():
    message = explain(OSError(errno.ENOSPC, "No space left on device", "results/model"))
    assert "disk is full" in message and "results/model" in message
    assert explain(OSError(errno.EIO, "Input/output error")) is None


def test_an_interrupt_ends_quietly(rule, capsys):
    with pytest.raises(SystemExit), job(rule):
        signal.raise_signal(signal.SIGINT)
    assert "interrupted" in capsys.readouterr().err


def test_the_command_that_repeats_a_job(rule, monkeypatch):
    monkeypatch.setenv("SEGSTUDY_CONFIG", "--configfile studies/demo.yaml")
    assert repeating_command(rule) == (
        "snakemake --cores 2 --set-threads train=2 --configfile studies/demo.yaml --force -- "
        "'results/x/a b.safetensors'"
    )


def test_progress_says_how_long_it_will_take(caplog):
    with caplog.at_level(logging.INFO, "segstudy"):
        assert list(track([1, 2, 3], "decoding", every=0)) == [1, 2, 3]
    assert caplog.messages[0].startswith("decoding 1/3, 0:0") and "left" in caplog.messages[0]
    assert "decoding 3/3 done" in caplog.messages[-1]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.4, "1:05"), (3600, "1:00:00"), (86399.6, "24:00:00")])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_a_project_in_a_folder_with_braces_is_told():
    check_place("/home/me/segstudy", "/tmp/a")
    for folder in ("/home/{me}/segstudy", "/home/me}"):
        with pytest.raises(StudyError, match="holds braces"):
            check_place("/home/me", folder)
