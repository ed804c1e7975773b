"""Nothing is deleted behind a symbolic link, whoever deletes."""

import os
import shutil
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from segstudy.cli.app import app
from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_folder
from segstudy.core.removal import remove_below, remove_tree
from segstudy.study.cleanup import KINDS, leftovers, remove
from segstudy.study.partial_tables import forget_partial
from segstudy.training import kept_outputs
from segstudy.training.checkpoint import ResumeCheckpoint

CONFIG = {
    "study": "small",
    "datasets": {"ph2": {"phantom": {"images": 16}}},
    "models": {"unet": {}},
    "losses": {"bce": {}},
    "recipes": {"default": {"epochs": 20}},
    "evaluation": {"keep_predictions": False},
    "experiments": {"all": {"question": "What can go?", "datasets": ["ph2"], "models": ["unet"], "losses": ["bce"]}},
}
RESULTS = Path("results/small")
OLD = "ph2/unet/old/default/seed0"


def put(path, text="12345"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder elsewhere in which everything looks like a leftover."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    put(Path("study.yaml"), yaml.safe_dump(CONFIG))
    put(Path("Snakefile"))
    folder = tmp_path / "precious"
    for name in (f"{OLD}/run.json", "seed0/run.json", "phantom.json", "all.md"):
        put(folder / name)
    old = put(folder / ".all.77.partial.csv")
    os.utime(old, (time.time() - 7200,) * 2)
    return folder


def clean(*arguments):
    return CliRunner().invoke(app, ["clean", "study.yaml", "--yes", *(f"--only={kind}" for kind in KINDS), *arguments])


@pytest.mark.parametrize(
    "link",
    [
        *("results/small/cells", "results/small/resume", "results/small/pseudo", "results/small/partial"),
        *("results/small/cells/ph2/unet/old/default", f"results/small/cells/{OLD}", "results/small/tables"),
        *("resources/phantoms/small/gone", "results/small/logs/train/ph2"),
    ],
)
def test_what_lies_behind_a_link_stays(outside, link):
    Path(link).parent.mkdir(parents=True)
    Path(link).symlink_to(outside, target_is_directory=True)
    Path("Snakefile").touch()
    before = files_below(outside)
    done = clean()
    assert done.exit_code == 0, done.output
    assert files_below(outside) == before


def test_the_link_is_named_with_what_stays_behind_it(outside):
    RESULTS.mkdir(parents=True)
    (RESULTS / "cells").symlink_to(outside)
    assert "results/small/cells is a link: it is not followed, and 1 files and folders" in clean("--dry-run").output


def test_a_results_folder_that_is_a_link_is_cleaned_and_stays(outside, tmp_path):
    scratch = tmp_path / "scratch"
    put(scratch / f"cells/{OLD}/run.json")
    put(scratch / "notes.txt")
    Path("results").mkdir()
    RESULTS.symlink_to(scratch)
    done = clean()
    assert f"results/small is a link; what is removed lies in {scratch}" in done.output.replace("\n", "")
    assert files_below(scratch) == {"notes.txt": "12345"}
    assert RESULTS.is_symlink()


def test_links_inside_of_what_goes_are_removed_and_not_followed(outside):
    put(RESULTS / f"cells/{OLD}/run.json")
    (RESULTS / f"cells/{OLD}/elsewhere").symlink_to(outside)
    (RESULTS / f"cells/{OLD}/loop").symlink_to(".")
    os.link(outside / "all.md", RESULTS / f"cells/{OLD}/all.md")
    before = files_below(outside)
    assert clean().exit_code == 0
    assert not (RESULTS / f"cells/{OLD}").exists()
    assert files_below(outside) == before


def test_a_link_loop_ends(outside):
    (RESULTS / "cells").mkdir(parents=True)
    (RESULTS / "cells/ph2").symlink_to("..")
    (RESULTS / "loop").symlink_to(".")
    put(RESULTS / "notes.txt")
    assert clean().exit_code == 0
    assert (RESULTS / "notes.txt").exists()


def test_a_link_put_in_the_way_after_the_search_stops_the_removal(outside):
    put(RESULTS / f"cells/{OLD}/run.json")
    found = leftovers(load_study(CONFIG), RESULTS, list(KINDS))
    shutil.rmtree(RESULTS / "cells/ph2")
    (RESULTS / "cells/ph2").symlink_to(outside / "ph2")
    before = files_below(outside)
    with pytest.raises(StudyError, match="symbolic link"):
        remove(found)
    assert files_below(outside) == before


def test_what_is_gone_already_is_no_error(outside):
    remove_below(RESULTS, RESULTS / "cells/a")
    remove_tree(RESULTS)


def test_folders_that_are_links_are_replaced_and_what_they_lead_to_stays(outside):
    before = files_below(outside)
    for name in ("store", "partial", "slot", "kept"):
        (RESULTS / name).parent.mkdir(parents=True, exist_ok=True)
        (RESULTS / name).symlink_to(outside)
    with atomic_folder(RESULTS / "store") as folder:
        put(folder / "new.txt")
    put(RESULTS / "cells/ph2/unet/bce/default/seed0/counts.csv")
    forget_partial(load_study(CONFIG), RESULTS)
    ResumeCheckpoint(RESULTS / "slot", {}).remove()
    kept_outputs.KeptOutputs(RESULTS / "kept").remove()
    assert files_below(outside) == before
    assert files_below(RESULTS / "store") == {"new.txt": "12345"}
    assert not (RESULTS / "slot").is_symlink()
    assert not (RESULTS / "kept").is_symlink()
