"""The plan of a study: what is done, begun and to do, and what the rest costs."""

import io
import os
import shutil
import subprocess
import sys

import pytest
from rich.console import Console

from segstudy.config.load import load_study, read_config
from segstudy.study import plan
from segstudy.study.estimates import Estimates
from tests.helpers.estimates import FILES, ROOT, put

DONE = [f"{d}/{m}/bce/default/seed{k}" for d in ("ph2", "drive") for m in ("encdec", "unet") for k in (0, 1)]


@pytest.fixture
def study():
    return load_study(read_config(*FILES), FILES)


@pytest.fixture
def results(tmp_path):
    """The measured study when its cells with loss bce are done but for one not measured, and another has begun."""
    put(tmp_path, *DONE)
    for cell in DONE[:-1]:
        (tmp_path / "cells" / cell / "counts.csv").touch()
    begun = tmp_path / "resume/ph2/unet/focal/default/seed0/state.pt"
    begun.parent.mkdir(parents=True)
    begun.touch()
    return tmp_path


def test_every_cell_has_its_state_and_its_rest(study, results):
    estimates = Estimates(study, results, gpu=False)
    rows = {row.cell.path: row for row in plan.planned(study, results, estimates)}
    assert len(rows) == 24
    states = {path: row.state for path, row in rows.items() if row.state != "to do"}
    assert states == {**dict.fromkeys(DONE[:-1], "done"), DONE[-1]: "begun", "ph2/unet/focal/default/seed0": "begun"}
    assert all(rows[cell].seconds == 0 for cell in DONE[:-1])
    unet = estimates.cell("drive", "unet", "default")
    assert rows[DONE[-1]].seconds == unet.evaluation  # its training is done
    assert rows["drive/unet/focal/default/seed1"].seconds == unet.training + unet.evaluation


def printed(study, results, **how):
    console = Console(file=io.StringIO(), width=120)
    plan.show(study, results, console, **{"gpus": 0, "threads": 1} | how)
    return console.file.getvalue()


def test_the_table_adds_up(study, results):
    rows = plan.planned(study, results, Estimates(study, results, gpu=False))
    shown = printed(study, results)
    line = next(line for line in shown.splitlines() if line.strip().startswith("architectures"))
    hours = sum(row.seconds for row in rows) / 3600
    assert line.split()[1:6] == ["24", "7", "2", "15", f"{hours:.2f}"]
    assert "17 cells measured on earlier cells like it" in shown
    twice = printed(study, results, threads=2)
    assert "core hours" in shown and f"{2 * hours:.2f}" in twice
    assert "GPU hours" in printed(study, results, gpus=1)


def test_the_longest_chain_is_that_of_the_longest_cell(study, results):
    estimates = Estimates(study, results, gpu=False)
    rows = plan.planned(study, results, estimates)
    seconds, words = plan.chain(study, rows, estimates)
    longest = max(rows, key=lambda row: row.seconds)
    assert longest.cell.path in words and words.endswith("tables and figures")
    assert longest.seconds < seconds < longest.seconds + 120
    shown = printed(study, results, gpus=1000)
    assert "With 1000 GPUs at once: about" in shown  # no more of them shorten the chain
    assert plan.chain(study, [row._replace(state="done") for row in rows], estimates)[0] == 0


def test_what_others_learn_from_is_planned_too(tmp_path):
    """One training each, no predictions; a teacher's labelling once, and the chain goes through what it waits for."""
    files = [ROOT / "config.yaml", ROOT / "studies/few_labels_small.yaml"]
    study = load_study(read_config(*files), files)
    estimates = Estimates(study, tmp_path, gpu=False)
    rows = {row.cell.path: row for row in plan.planned(study, tmp_path, estimates)}
    assert len(rows) == len(study.cells) + 2
    denoising = estimates.cell("drive_unlabelled", "unet", "denoising")
    source = rows["drive_unlabelled/unet/mse/denoising/seed0"]
    assert source.seconds == denoising.training and source.disk_mb == denoising.model_mb < denoising.disk_mb
    teacher, student = (rows[f"hrf/unet/dice/{name}/seed0"] for name in ("supervised", "pseudo"))
    labelling = estimates.labelling(teacher.cell, "drive_unlabelled")
    assert student.seconds == pytest.approx(estimates.cell("hrf", "unet", "pseudo").seconds + labelling)
    words = plan.chain(study, list(rows.values()), estimates)[1]
    assert f"train of {teacher.cell.path}" in words and f"measure of {student.cell.path}" in words
    assert "what they learn from" in printed(study, tmp_path)
    run = tmp_path / "cells" / source.cell.path / "run.json"
    run.parent.mkdir(parents=True)
    run.write_text('{"seconds": {"steps": 1, "validation": 1, "saving": 0}}')
    again = {row.cell.path: row.state for row in plan.planned(study, tmp_path, estimates)}
    assert again[source.cell.path] == "done"


def test_the_command_prints_text_and_says_what_is_wrong(tmp_path):
    shutil.copy(ROOT / "config.yaml", tmp_path)
    (tmp_path / "Snakefile").touch()

    def planned(*files):
        environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
        command = [sys.executable, "-m", "segstudy", "plan", "--gpus", "2", *files]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    done = planned()
    assert "\x1b" not in done.stdout
    assert "Study exercise" in done.stdout and "as published: ph2 (200 images), drive (40 images)" in done.stdout
    assert "results/exercise/data/ph2/card.html" in done.stdout
    assert not (tmp_path / "results").exists()
    (tmp_path / "wrong.yaml").write_text("experiments: {losses: {models: [unett]}}")
    done = planned("wrong.yaml")
    assert done.returncode == 1 and "unett" in done.stderr and "Traceback" not in done.stderr
