"""A cell that is exactly one trained before is published from kept files, in whichever study it stands."""

import logging
import os
import shutil
from copy import deepcopy

import pytest

from segstudy.core import checksums, files
from segstudy.training import record
from tests.helpers import small_cell

SETTINGS = deepcopy(small_cell.SETTINGS)
SETTINGS["recipe"] |= {"epochs": 1}


class Begun(Exception):
    """A training has begun."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return small_cell.write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def first(inputs, tmp_path_factory):
    """The folder of a trained cell, with what is kept of it in `trained`; shared, so not to be changed."""
    folder = tmp_path_factory.mktemp("first")
    small_cell.run(inputs, folder, SETTINGS, trained=folder / "trained")
    return folder


@pytest.fixture
def again(inputs, first, tmp_path, monkeypatch, caplog):
    """Ask for the cell again in another folder, with changes; return whether a training begins (it is stopped)."""
    from segstudy.training import cell

    kept = tmp_path / "trained"
    shutil.copytree(first / "trained", kept)
    caplog.set_level(logging.INFO, "segstudy")

    def begin(*_):
        raise Begun

    def ask(settings=SETTINGS, which=inputs, folder=tmp_path / "second", **changes):
        with monkeypatch.context() as patch:
            patch.setattr(cell, "train", begin)
            try:
                small_cell.run(which, folder, settings, trained=kept, **changes)
            except Begun:
                return True
        return False

    ask.kept, ask.folder = kept, tmp_path / "second"
    return ask


def same_bytes(first, second):
    pairs = zip(small_cell.outputs(first).items(), small_cell.outputs(second).values(), strict=True)
    return {name for (name, one), other in pairs if one.read_bytes() == other.read_bytes()}


def entry(kept):
    (folder,) = [path for path in kept.iterdir() if path.name[0] != "."]
    return folder


def test_the_same_cell_is_taken_over_with_its_bytes(again, first, caplog):
    assert not again()
    assert same_bytes(first, again.folder) == {"model", "history", "run"}
    assert "trained before with the same data, settings and code: taken over" in caplog.text
    assert not (again.folder / "resume").exists()
    for path in small_cell.outputs(again.folder).values():
        checksums.content(path)
        assert checksums.sum_of(path).exists()


def test_what_was_published_last_is_what_is_kept(again):
    """So the kept files take no disk of their own, and no two cells are one file on the disk."""
    again()
    for name, path in small_cell.outputs(again.folder).items():
        assert path.samefile(entry(again.kept) / name) and path.stat().st_nlink == 2
    again(folder=again.folder.with_name("third"))
    assert {path.stat().st_nlink for path in small_cell.outputs(again.folder).values()} == {1}


def test_another_study_has_its_own_command_and_the_first_one(again, first):
    """run.json says how to make this cell, and which one the seconds in it are of."""
    original = files.read_json(first / "run.json")
    assert not again(command="snakemake --force other/model")
    run = files.read_json(again.folder / "run.json")
    assert run == original | {"command": "snakemake --force other/model", "trained_as": original["command"]}
    again(folder=again.folder.with_name("third"), command="third")
    assert files.read_json(again.folder.with_name("third") / "run.json")["trained_as"] == original["command"]
    back = again.folder.with_name("fourth")
    assert not again(folder=back)
    assert same_bytes(first, back) == {"model", "history", "run"}


def changed_recipe(**keys):
    settings = deepcopy(SETTINGS)
    settings["recipe"] |= keys
    return {"settings": settings}


@pytest.mark.parametrize(
    "change",
    [
        *(changed_recipe(learning_rate=0.02), changed_recipe(batch_size=5), {"seed": 2}, {"code": "other"}),
        *({"threads": 2}, {"sources": {"teacher": "ph2/unet/bce/default/seed0"}}),
    ],
)
def test_what_can_change_a_bit_is_trained(again, change):
    assert again(**change)


@pytest.mark.parametrize("name", ["torch", "numpy"])
def test_another_version_of_a_library_is_trained(again, monkeypatch, name):
    real = record.provenance.package_versions
    monkeypatch.setattr(record.provenance, "package_versions", lambda *names: real(*names) | {name: "0.1"})
    assert again()


def test_another_device_is_trained(again, monkeypatch):
    from segstudy.training import cell

    real = cell.describe
    monkeypatch.setattr(cell, "describe", lambda *args: real(*args) | {"device": "another one"})
    assert again()


@pytest.mark.parametrize("part", ["store/images.npy", "store/masks.npy", "split.csv"])
def test_other_data_are_trained(again, inputs, tmp_path, part):
    other = tmp_path / "inputs"
    shutil.copytree(inputs[0].parent, other)
    path, change = other / part, {b"s00,train": b"s00,test"} if part == "split.csv" else None
    content = bytearray(path.read_bytes())
    if change is None:
        content[-1] ^= 1
    else:
        for old, new in change.items():
            content = content.replace(old, new)
    path.write_bytes(content)
    assert again(which=(other / "store", other / "split.csv"))


def test_the_same_data_in_another_folder_are_not_trained_again(again, inputs, tmp_path):
    other = tmp_path / "moved"
    shutil.copytree(inputs[0].parent, other)
    assert not again(which=(other / "store", other / "split.csv"))


def cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(("model", flip), ("history", cut), ("run", cut), ("model", os.remove)),
        *((".model.sum", os.remove), ("identity.json", cut), ("identity.json", os.remove)),
    ],
)
def test_a_damaged_kept_copy_is_trained_again(again, caplog, name, damage):
    damage(entry(again.kept) / name)
    assert again()
    assert name == "identity.json" or "what was kept of it is damaged: trained again" in caplog.text


def test_what_is_trained_again_is_kept_anew(again, inputs, first):
    flip(entry(again.kept) / "model")
    small_cell.run(inputs, again.folder, SETTINGS, trained=again.kept)
    assert same_bytes(first, again.folder) == {"model", "history"}
    assert not again(folder=again.folder.with_name("third"))


def test_a_published_file_that_somebody_edits_is_not_taken_over(again):
    """It is the kept file itself: the checksum notices."""
    again()
    flip(again.folder / "model.safetensors")
    assert again(folder=again.folder.with_name("third"))


@pytest.mark.parametrize("write", range(3))
def test_a_kill_while_it_is_published_is_made_good_by_the_next_run(again, first, monkeypatch, write):
    real, writes = files.os.replace, []

    def killed(source, target):
        if str(target).startswith(str(again.folder)):
            writes.append(target)
            if len(writes) == write + 1:
                raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files.os, "replace", killed)
        again()
    assert not (again.folder / "run.json").exists()
    assert not again()
    assert same_bytes(first, again.folder) == {"model", "history", "run"}


def test_a_kill_while_it_is_kept_leaves_nothing_to_take_over(inputs, tmp_path, monkeypatch):
    from segstudy.training import kept_outputs

    real, kept = os.link, tmp_path / "trained"

    def killed(source, target):
        if str(target).endswith("/history"):
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(kept_outputs.os, "link", killed)
        small_cell.run(inputs, tmp_path, SETTINGS, trained=kept)
    assert not list(kept.glob("*/identity.json"))


def test_without_hard_links_it_is_copied_and_the_log_says_so(again, first, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("segstudy.training.kept_outputs.os.link", refuse)
    assert not again()
    assert "no hard links to" in caplog.text and "copied to be kept" in caplog.text
    assert (entry(again.kept) / "model").stat().st_nlink == 1
    assert not again(folder=again.folder.with_name("third"))


def test_where_nothing_can_be_kept_the_cell_is_published_all_the_same(inputs, tmp_path, caplog):
    (tmp_path / "trained").write_text("a file, not a folder")
    small_cell.run(inputs, tmp_path, SETTINGS, trained=tmp_path / "trained")
    assert (tmp_path / "run.json").exists() and "are not kept in" in caplog.text


def test_a_training_that_went_on_elsewhere_is_not_kept():
    """Its bytes are not those of an undisturbed training on the last device."""
    here = {"device": "a", "threads": 1, "torch": "2"}
    assert not record.changed_place([{"epoch": 1, "step": 0, **here}, {"epoch": 3, "step": 7, **here}])
    assert record.changed_place([{"epoch": 1, "step": 0, **here}, {"epoch": 3, "step": 7, **here, "device": "b"}])
