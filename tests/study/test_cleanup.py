"""`segstudy clean`: what can go is of a listed kind, everything else stays, and nothing goes beside running jobs."""

import io
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from typer.testing import CliRunner

from segstudy.cli import clean
from segstudy.cli.app import app
from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.runtime import live_status
from segstudy.study.cleanup import KINDS, LOGS, leftovers

CONFIG = {
    "study": "small",
    "datasets": {"ph2": {"phantom": {"images": 16}}, "drive": {"root": "DRIVE"}},
    "models": {"unet": {}},
    "losses": {"bce": {}},
    "recipes": {"default": {"epochs": 20}},
    "evaluation": {"keep_predictions": False},
    "experiments": {
        "all": {"question": "What can go?", "datasets": ["ph2"], "models": ["unet"], "losses": ["bce"], "seeds": 3}
    },
}
DONE, BEGUN, TRAINED = load_study(CONFIG).cells
RESULTS = Path("results/small")
OLD = "ph2/unet/old_loss/default/seed0"
GOES = {
    "resume": [f"resume/{DONE.path}", f"resume/{DONE.path}.published"],
    "predictions": [f"cells/{DONE.path}{part}/probabilities" for part in ("", "/on/chase", "/tta")],
    "partial": ["partial"],
    "cells": [
        *(f"cells/{OLD}", f"logs/train/{OLD}.log", f"benchmarks/train/{OLD}.jsonl", f"checks/pseudo/{OLD}.json"),
        *(f"figures/gallery/{OLD}.jpg", f"figures/gallery/{OLD}.png"),
    ],
    "phantoms": ["resources/phantoms/small/drive"],
    "half-written": ["tables/.all.77.partial.csv"],
    "trained": ["results/.trained/0123", "results/.trained/.4567.ab.partial"],
    "logs": [f".snakemake/log/{number}.snakemake.log" for number in range(3)],
}


def put(path, text="12345"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def stays(tmp_path, monkeypatch):
    """A study with something of every kind that can go, and its neighbours that stay: those are returned."""
    monkeypatch.chdir(tmp_path)
    put(Path("study.yaml"), yaml.safe_dump(CONFIG))
    for name in (f"resume/{DONE.path}/state.pt", f"resume/{DONE.path}.published/model.safetensors", "partial/all.md"):
        put(RESULTS / name)
    for folder in (DONE.path, f"{DONE.path}/tta", f"{DONE.path}/on/chase"):
        put(RESULTS / f"cells/{folder}/probabilities/a.png")
    for name in (f"cells/{OLD}/run.json", *GOES["cells"][1:], *GOES["half-written"]):
        put(RESULTS / name)
    long_ago = time.time() - 7200
    os.utime(RESULTS / GOES["half-written"][0], (long_ago, long_ago))
    put(Path("resources/phantoms/small/drive/phantom.json"))
    for number in range(LOGS + 3):
        put(Path(f".snakemake/log/{number}.snakemake.log"))
        os.utime(f".snakemake/log/{number}.snakemake.log", (number, number))
    for folder in GOES["trained"]:
        put(Path(folder, "model"))
    put(Path("raw/a.png"))
    kept = [f"resume/{BEGUN.path}/state.pt", f"resume/{TRAINED.path}.published/model.safetensors"]
    kept += [f"cells/{cell.path}/{name}" for cell in (DONE, TRAINED) for name in ("run.json", "model.safetensors")]
    kept += [f"cells/{DONE.path}/{name}" for name in ("counts.csv", "tta/counts.csv", "masks/a.png")]
    kept += [f"cells/{DONE.path}/on/chase/{name}" for name in ("counts.csv", "masks/a.png")]
    kept += [f"cells/{TRAINED.path}/probabilities/a.png", "tables/.all.78.partial.csv", "notes/mine.txt"]
    kept += [f"cells/{DONE.path}/extra/seed0/mine.txt", "data/ph2/index.csv", f"logs/train/{DONE.path}.log"]
    paths = [RESULTS / name for name in kept] + [Path("resources/phantoms/small/ph2/phantom.json")]
    for path in paths:
        put(path)
    return [*paths, Path("raw/a.png"), *(Path(f".snakemake/log/{n}.snakemake.log") for n in range(3, LOGS + 3))]


def expected(kind):
    return [
        Path(name) if name.startswith((".snakemake", "resources", "results")) else RESULTS / name for name in GOES[kind]
    ]


def invoke(*words, **how):
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, ["clean", "study.yaml", *words], **how)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_what_it_says(stays, kind):
    assert {item.path for item in leftovers(load_study(CONFIG), RESULTS, [kind])} == set(expected(kind))


def test_all_of_it_goes_and_the_rest_stays(stays):
    assert set(GOES) == set(KINDS) == {kind.value for kind in clean.Kind}
    done = invoke("--yes", *(word for kind in KINDS for word in ("--only", kind)))
    assert done.exit_code == 0, done.output
    assert not [path for kind in KINDS for path in expected(kind) if path.exists()]
    assert [path for path in stays if not path.exists()] == []
    assert not (RESULTS / "cells/ph2/unet/old_loss").exists()  # no empty folders are left
    assert "study 'small' has nothing to remove" in invoke("--yes").output


def test_sizes_add_up_and_a_dry_run_removes_nothing(stays):
    before = sorted(Path().rglob("*"))
    done = invoke("--dry-run", "--paths", *(word for kind in KINDS for word in ("--only", kind)))
    assert done.exit_code == 0 and sorted(Path().rglob("*")) == before
    files = [
        path for kind in KINDS for place in expected(kind) for path in [place, *place.rglob("*")] if path.is_file()
    ]
    last = done.output.strip().splitlines()[-1].split()
    assert last[0] == "all" and last[-2:] == [str(5 * len(files)), "B"]
    assert all(str(path) in done.output for kind in KINDS for path in expected(kind))


def test_unasked_no_training_goes_unless_it_is_named(stays):
    assert invoke("--yes").exit_code == 0
    assert (RESULTS / "cells" / OLD / "run.json").exists()
    assert not (RESULTS / "partial").exists()


def test_trainings_that_can_be_taken_over_go_only_where_they_are_named(stays):
    """What counts is what they take: bytes that a cell has too are free."""
    os.link(RESULTS / f"cells/{DONE.path}/model.safetensors", "results/.trained/0123/history")
    said = (
        "results/.trained keeps the files of 2 trainings of all studies here, 10 B of them nowhere else: --only trained"
    )
    for words in (["--dry-run"], ["--yes"]):
        done = invoke(*words)
        assert said in done.output and Path("results/.trained/0123/model").exists()
    done = invoke("--yes", "--only", "trained")
    assert "removed: 10 B" in done.output and not Path("results/.trained").exists()
    assert (RESULTS / f"cells/{DONE.path}/model.safetensors").read_text() == "12345"
    assert "keeps the files" not in invoke("--dry-run").output


def test_predictions_stay_where_the_study_keeps_them(stays):
    kept = load_study(CONFIG | {"evaluation": {"keep_predictions": True}})
    assert leftovers(kept, RESULTS, ["predictions"]) == []


def test_a_link_goes_and_what_it_points_to_stays(stays, tmp_path):
    link = RESULTS / "resume" / f"{DONE.path}.published"
    put(Path("elsewhere/weights"))
    (link / "model.safetensors").unlink()
    link.rmdir()
    link.symlink_to(tmp_path / "elsewhere")
    assert invoke("--yes", "--only", "resume").exit_code == 0
    assert not link.is_symlink() and Path("elsewhere/weights").exists()


def test_it_asks_and_no_means_no(stays, monkeypatch):
    monkeypatch.setattr(clean, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    refused = invoke(input="n\n")
    assert refused.exit_code == 0 and "nothing was removed" in refused.output and (RESULTS / "partial").exists()
    agreed = invoke(input="y\n")
    assert agreed.exit_code == 0 and not (RESULTS / "cells" / OLD).exists()


def test_with_nobody_to_ask_nothing_goes(stays):
    with pytest.raises(StudyError, match="not a terminal"):
        invoke(catch_exceptions=False)
    assert (RESULTS / "partial").exists()


def test_nothing_goes_beside_snakemake_or_a_training(stays):
    put(Path(".snakemake/locks/0.input.lock"))
    with pytest.raises(StudyError, match="Snakemake is at work"):
        invoke("--yes", catch_exceptions=False)
    assert invoke("--dry-run").exit_code == 0  # looking is always allowed
    Path(".snakemake/locks/0.input.lock").unlink()
    facts = {"epoch": 1, "epochs": 2, "step": 1, "steps": 2, "seconds_left": None}
    running = live_status.LiveStatus("train", RESULTS / "resume" / BEGUN.path, io.StringIO())
    running(facts | dict.fromkeys(("val_dice", "images_per_second", "train_loss", "val_loss")))
    with pytest.raises(StudyError, match="a training of study 'small' runs"):
        invoke("--yes", catch_exceptions=False)
    assert (RESULTS / "partial").exists()
