"""A table that has to do without some cells says which, and why; and is made all the same."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from segstudy.config.load import load_study
from segstudy.core.files import write_json
from segstudy.study import partial_tables, reasons
from tests.helpers.results import markdown_row, write, write_run

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {
    "study": "small",
    "datasets": {"ph2": {"phantom": {"images": 16}}},
    "models": {"unet": {}, "encdec": {}},
    "losses": {"bce": {}},
    "recipes": {"default": {"epochs": 20}},
    "experiments": {
        "all": {
            "question": "Which cells are there?",
            **{"datasets": ["ph2"], "models": ["unet", "encdec"], "losses": ["bce"], "seeds": 2},
        }
    },
}
STUDY = load_study(CONFIG)
UNET, OTHER_UNET, ENCDEC, OTHER_ENCDEC = STUDY.cells
DICE = [("a", 6, 2, 2, 90), ("b", 8, 2, 2, 88)]  # 0.75 and 0.8


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results/small"


def finish(results, cell):
    folder = results / "cells" / cell.path
    folder.mkdir(parents=True)
    write(folder, "counts.csv", DICE)
    write_run(folder / "run.json")


def log(results, rule, place, text):
    path = results / "logs" / rule / f"{place}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_reason_is_the_message_of_the_job_that_failed(results):
    log(
        results,
        "train",
        UNET.path,
        f"10:00 INFO\n\nError in train {UNET.path}: the loss is nan: diverged\n  where: x\n",
    )
    log(results, "predict", OTHER_UNET.path, f"\nError in predict {OTHER_UNET.path}: the model cannot be read\n")
    log(results, "train", OTHER_UNET.path, "10:00:00 INFO best epoch 3 of 5\n")
    log(results, "train", ENCDEC.path, "10:00:00 INFO epoch 3 of 5\n")
    assert reasons.reason(UNET, results) == "the loss is nan: diverged"
    assert reasons.reason(OTHER_UNET, results) == "the model cannot be read"
    assert "without a word" in reasons.reason(ENCDEC, results) and "encdec" in reasons.reason(ENCDEC, results)
    assert reasons.reason(OTHER_ENCDEC, results) == "not begun"
    log(results, "check_images", "ph2", "\nError in check_images ph2: 2 findings in the images\n")
    assert reasons.reason(OTHER_ENCDEC, results) == "2 findings in the images"


def test_a_cell_that_is_on_its_way_says_how_far(results):
    state = results / "resume" / UNET.path / "state.pt"
    state.parent.mkdir(parents=True)
    state.touch()
    assert reasons.reason(UNET, results) == "begun; the same command continues it"
    record = results / "cells" / OTHER_UNET.path / "run.json"
    record.parent.mkdir(parents=True)
    write_json(record, {"seconds": {"steps": 1.0, "validation": 0.0, "saving": 0.0}, "starts": []})
    assert reasons.reason(OTHER_UNET, results) == "trained, not measured yet"


def test_the_tables_name_missing_cells_and_count_the_others(results):
    finish(results, UNET)
    finish(results, OTHER_UNET)
    finish(results, ENCDEC)
    log(results, "train", OTHER_ENCDEC.path, f"\nError in train {OTHER_ENCDEC.path}: out of memory | on cpu\n")
    said = partial_tables.write_partial(STUDY, results)
    assert len(said) == 1 and said[0].startswith("1 of 4 cells of experiment 'all' are missing, the first ph2/encdec")
    text = (results / "partial/all.md").read_text()
    assert "(PARTIAL)" in text.splitlines()[0]
    assert "PARTIAL: 1 of 4 cells are missing" in text and "comparisons, ranking, figures and the report wait" in text
    assert (markdown_row(text, "unet")["Seeds"], markdown_row(text, "encdec")["Seeds"]) == ("2", "1")
    last = text.split("## Missing cells")[1]
    assert "| encdec | bce | 1 | missing: out of memory" in last
    for kind in ("tex", "html"):
        assert "missing: out of memory" in (results / f"partial/all.{kind}").read_text(), kind
    table = pd.read_csv(results / "partial/all.csv").set_index("model")
    assert table["missing"].to_dict() == {"unet": 0, "encdec": 1}
    assert table.loc["encdec", "test_dice_mean"] == pytest.approx(0.775)
    rows = pd.read_csv(results / "partial/all.missing.csv")
    assert rows[["model", "seed"]].to_numpy().tolist() == [["encdec", 1]]


def test_a_network_without_any_cell_has_a_row_of_its_own(results):
    finish(results, UNET)
    partial_tables.write_partial(STUDY, results)
    table = pd.read_csv(results / "partial/all.csv").set_index("model")
    assert table["missing"].to_dict() == {"unet": 1, "encdec": 2}
    assert table["seeds"].to_dict() == {"unet": 1, "encdec": 0}
    assert pd.isna(table.loc["encdec", "test_dice_mean"]) and table.loc["encdec", "row"] == "cell"
    assert (results / "partial/all.md").read_text().count("missing: not begun") == 3


def test_with_no_cell_at_all_there_still_is_a_table(results):
    said = partial_tables.write_partial(STUDY, results)
    assert said[0].startswith("4 of 4 cells")
    assert (results / "partial/all.html").read_text().count("missing: not begun") == 4
    assert "\\begin{tabular}" in (results / "partial/all.tex").read_text()


def test_a_finished_study_has_none(results):
    partial_tables.write_partial(STUDY, results)
    for cell in STUDY.cells:
        partial_tables.forget_partial(STUDY, results)
        assert (results / "partial").exists()
        finish(results, cell)
    partial_tables.forget_partial(STUDY, results)
    assert not (results / "partial").exists()
    assert partial_tables.write_partial(STUDY, results) == []


def test_the_command_says_what_is_missing(tmp_path):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "Snakefile").touch()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    command = [sys.executable, "-m", "segstudy", "partial", "study.yaml"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "4 of 4 cells" in done.stdout and "results/small/partial/all.md" in done.stdout
    assert len(pd.read_csv(tmp_path / "results/small/partial/all.missing.csv")) == 4
