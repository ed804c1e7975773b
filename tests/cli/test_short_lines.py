"""Snakemake's lines in short: the logger that `segstudy run` chooses, and the options with which it does not."""

import logging

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from segstudy.cli.run import SHORT_LINES, is_short, snakemake


@pytest.fixture
def logger():
    plugin = LoggerPluginRegistry().get_plugin(SHORT_LINES[0].partition("=")[2])  # as Snakemake finds it
    return plugin.log_handler(None, None)


def say(logger, message="", level=logging.INFO, **facts):
    record = logging.makeLogRecord({"msg": message, "levelno": level, **facts})
    logger.handle(record)


def job(logger, number, rule, **wildcards):
    say(logger, event=LogEvent.JOB_INFO, jobid=number, rule_name=rule, wildcards={"study": "x", **wildcards})


def test_each_finished_job_is_a_line_and_chatter_is_none(logger, capsys):
    say(logger, "Building DAG of jobs...")
    say(logger, event=LogEvent.RUN_INFO, stats={"train": 2, "index": 1, "all": 1, "total": 4})
    job(logger, 7, "train", dataset="ph2", seed="0")
    job(logger, 8, "index", dataset="ph2")
    say(logger, "Select jobs to execute...")
    say(logger, "Finished jobid: 8", event=LogEvent.JOB_FINISHED, job_id=8)
    say(logger, "Finished jobid: 7", event=LogEvent.JOB_FINISHED, job_id=7)
    say(logger, event=LogEvent.PROGRESS, done=2, total=4)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["4 jobs: 2 train, 1 index", "[1/4] index ph2 (0:00)", "[2/4] train ph2/seed0 (0:00)"]


def test_failures_warnings_and_a_finished_study_are_said(logger, capsys):
    job(logger, 7, "train", dataset="ph2")
    say(logger, level=logging.ERROR, event=LogEvent.JOB_ERROR, jobid=7, rule_name="train", log=["logs/train.log"])
    say(logger, "low on disk", level=logging.WARNING)
    say(logger, "Nothing to be done (all requested files are present and up to date).")
    said = capsys.readouterr().err
    assert said.startswith("failed: train ph2; log: logs/train.log\nlow on disk\nNothing to be done")


@pytest.mark.parametrize(
    ("options", "short"),
    [
        ([], True),
        (["--cores", "2", "--", "results/x"], True),
        (["-n"], False),
        (["--verbose"], False),
        (["--logger", "other"], False),
        (["--logger=other"], False),
    ],
)
def test_a_dry_run_and_asked_for_lines_are_snakemakes_own(options, short):
    assert is_short(options) == short


def test_a_target_is_not_taken_for_a_logger():
    """Snakemake's --logger takes every word up to the next option."""
    words = snakemake([], ["results/demo/report.html"], SHORT_LINES)
    behind = words[words.index(SHORT_LINES[-1]) + 1]
    assert behind.startswith("--") and words[-1] == "results/demo/report.html"
