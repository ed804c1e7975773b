"""What finished cells are still to be measured on: external test sets, corrupted images."""

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from segstudy.cli.app import app
from segstudy.study import plan
from segstudy.study.estimates import Estimates
from segstudy.study.measurings import CORRUPTED, EXTERNAL, measurings, progress
from tests.config.test_external_sets import BASE, changed, load_study

MORE = {"datasets__stare": {"scale": 630}, "experiments__one__tested_on": ["chase", "drive", "stare"]}
MORE |= {"evaluation__corruptions": {"blur": [1, 2]}, "evaluation__tta": "flips"}


@pytest.fixture
def study():
    """Two cells, each on two other data sets, and on corrupted images."""
    return load_study(changed(BASE, MORE))


def written(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def results(study, tmp_path):
    """Both cells are done; one is measured on one test set, and on another without its mirrored views."""
    for cell in study.cells:
        for name in ("run.json", "counts.csv"):
            written(tmp_path / "cells" / cell.path / name, '{"seconds": {"steps": 1, "validation": 1, "saving": 1}}')
    drive = tmp_path / "cells" / study.cells[0].path / "on"
    for name in ("chase/counts.csv", "chase/tta/counts.csv", "stare/counts.csv"):
        written(drive / name)
    log = tmp_path / "logs/measure_external_flips" / study.cells[0].path / "on/stare.log"
    written(log, "Error in measure_external_flips: the disk is full\n")
    return tmp_path


def test_a_test_set_is_done_when_it_is_measured_in_every_way(study, results):
    found = measurings(study, results)
    assert [(item.kind, item.cell.dataset, item.test_set, item.done) for item in found] == [
        (EXTERNAL, "drive", "chase", True),
        (EXTERNAL, "drive", "stare", False),
        (EXTERNAL, "chase", "drive", False),
        (EXTERNAL, "chase", "stare", False),
        (CORRUPTED, "drive", "", False),
        (CORRUPTED, "chase", "", False),
    ]
    assert progress(found) == [
        "external test sets: 1 of 4 measured",
        "failed: drive/unet/dice/default/seed0 on stare: measure_external_flips: the disk is full",
        "corrupted images: 0 of 2 measured",
    ]


def test_the_plan_of_finished_cells_counts_what_is_left_to_measure(study, results):
    estimates = Estimates(study, results, gpu=False)
    rows = [row._replace(state="done", seconds=0.0) for row in plan.planned(study, results, estimates)]
    beside = plan.measured_beside(study, results, estimates)
    external = beside[EXTERNAL]
    assert [row.seconds for row in external] == [
        0.0,
        *(estimates.external(*names, "default", there).evaluation
          for *names, there in (("drive", "unet", "stare"), ("chase", "unet", "drive"), ("chase", "unet", "stare"))),
    ]  # fmt: skip
    others = [row for of_kind in beside.values() for row in of_kind]
    longest = max(others, key=lambda row: row.seconds)
    seconds, words = plan.chain(study, rows, estimates, others)
    assert seconds == longest.seconds + plan.TABLE_SECONDS and longest.cell.path in words
    console = Console(file=io.StringIO(), width=150)
    console.print(plan.table(study, rows, False, 1, beside))
    lines = {line.strip().split("  ")[0]: line.split()[-7:] for line in console.file.getvalue().splitlines() if line}
    assert lines["on external test sets"][:4] == ["4", "1", "0", "3"]
    hours = sum(row.seconds for row in others) / 3600
    total = lines[plan.TOTAL]
    assert total[:4] == ["2", "2", "0", "0"] and total[4] == f"{hours:.2f}"


def test_what_finished_cells_are_measured_on_may_take_longest(study, tmp_path):
    estimates = Estimates(study, tmp_path, gpu=False)
    done, left = plan.planned(study, tmp_path, estimates)
    rows = [done._replace(state="done", seconds=0.0), left._replace(seconds=10.0)]
    beside = [done._replace(seconds=50_000.0), left._replace(seconds=10.0)]
    seconds, words = plan.chain(study, rows, estimates, beside)
    assert seconds == 50_000.0 + plan.TABLE_SECONDS and done.cell.path in words


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("check_external_chain/chase/unet/dice/default/seed0/on/drive.log", "check_external_chain: boom"),
        ("check_images/stare.log", "check_images: boom"),
    ],
)
def test_a_failed_job_before_a_measuring_is_its_reason(study, results, log, says):
    rule = log.partition("/")[0]
    written(results / "logs" / log, f"Error in {rule}: boom\n")
    assert any(line.endswith(says) for line in progress(measurings(study, results)[2:]))


def test_a_training_that_is_left_is_followed_by_its_longest_measuring(study, tmp_path):
    estimates = Estimates(study, tmp_path, gpu=False)
    rows, beside = plan.planned(study, tmp_path, estimates), plan.measured_beside(study, tmp_path, estimates)
    others = [row for of_kind in beside.values() for row in of_kind]
    alone, _ = plan.chain(study, rows, estimates)
    seconds, words = plan.chain(study, rows, estimates, others)
    assert seconds > alone and "on other images" in words


def test_status_says_how_far_the_measurings_are(study, results, tmp_path, monkeypatch):
    monkeypatch.setattr("segstudy.cli.study_commands.open_study", lambda files: (study, results))
    said = CliRunner().invoke(app, ["status"])
    assert said.exit_code == 0 and "external test sets: 1 of 4 measured" in said.output
    assert "corrupted images: 0 of 2 measured" in said.output
