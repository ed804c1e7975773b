"""A file that was cut or changed is refused with the command that makes it again; earlier results are still read."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.core import checksums
from segstudy.core.arrays import read_array, read_arrays, write_array, write_arrays
from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_folder, read_csv, read_json, write_csv, write_json
from segstudy.data.images.prediction_files import read_probability, write_probability
from segstudy.training import kept_outputs

TABLE = pd.DataFrame({"sample": [f"s{i}" for i in range(8)], "tp": range(8)})


def changed(path, how):
    content = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
        return
    middle = len(content) // 2
    contents = {
        "emptied": b"",
        "cut": content[:middle],
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "longer": content + b"\n",
    }
    path.write_bytes(contents[how])


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGSTUDY_CONFIG", "--configfile study.yaml")
    folder = tmp_path / "results/tiny"
    folder.mkdir(parents=True)
    return folder


KINDS = {
    "t.csv": (lambda path: write_csv(path, TABLE), read_csv),
    "r.json": (lambda path: write_json(path, {"a": 1, "b": [1, 2, 3]}), read_json),
    "h.npz": (lambda path: write_arrays(path, {"x": np.arange(99)}), lambda path: read_arrays(path, ("x",))),
    "t.npy": (lambda path: write_array(path, np.arange(99)), read_array),
}


HOW = ("emptied", "cut", "flipped", "longer", "folder")
CASES = [(name, how, True) for name in KINDS for how in HOW]
CASES += [
    (name, how, False) for name in KINDS for how in ("emptied", "cut", "folder") if (name, how) != ("t.csv", "cut")
]


@pytest.mark.parametrize(("name", "how", "sealed"), CASES)
def test_a_damaged_file_is_refused_with_the_command(results, name, how, sealed):
    write, read = KINDS[name]
    path = results / name
    write(path)
    read(path)
    if not sealed:
        checksums.unseal(path)
    changed(path, how)
    with pytest.raises(StudyError) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert f"snakemake --cores 1 --configfile study.yaml --force -- results/tiny/{name}" in str(refused.value)


@pytest.mark.parametrize("rows", [0, 3, 7])
def test_a_table_that_ends_between_two_rows_is_refused_with_both_numbers(results, rows):
    path = results / "counts.csv"
    write_csv(path, TABLE)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[: rows + 1]))
    with pytest.raises(StudyError, match=f"in {rows} whole rows, .* in 8 rows were written"):
        read_csv(path)


def test_the_file_of_another_cell_is_refused_and_of_an_earlier_version_is_read(results):
    first, second = results / "a.csv", results / "b.csv"
    write_csv(first, TABLE)
    write_csv(second, TABLE.assign(tp=TABLE["tp"] + 1))
    first.write_bytes(second.read_bytes())
    with pytest.raises(StudyError, match="another checksum"):
        read_csv(first)
    checksums.unseal(first)
    assert read_csv(first)["tp"].tolist() == list(range(1, 9))


def test_a_kill_between_the_file_and_its_sum_leaves_no_false_alarm(results, monkeypatch):
    path = results / "a.csv"
    write_csv(path, TABLE)

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(checksums, "seal", killed)
    with pytest.raises(KeyboardInterrupt):
        write_csv(path, TABLE[:3])
    assert len(read_csv(path)) == 3


def test_the_same_table_has_the_same_bytes_and_the_same_sum(results):
    contents = []
    for _ in range(2):
        write_csv(results / "a.csv", TABLE)
        contents.append([path.read_bytes() for path in sorted(results.iterdir())])
    assert contents[0] == contents[1] and len(contents[0]) == 2
    assert contents[0][1] == TABLE.to_csv(index=False).encode()


@pytest.mark.parametrize("how", ["emptied", "cut", "flipped", "folder"])
def test_a_damaged_prediction_names_the_folder_that_is_made_again(results, how):
    with atomic_folder(results / "probabilities", sealed=True) as folder:
        for name in "ab":
            write_probability(folder / f"{name}.png", np.linspace(0, 1, 256).reshape(16, 16))
    path = results / "probabilities/a.png"
    whole = read_probability(path)
    changed(path, how)
    with pytest.raises(StudyError, match="--force -- results/tiny/probabilities"):
        read_probability(path)
    assert np.array_equal(read_probability(results / "probabilities/b.png"), whole)


def test_half_a_picture_is_refused_without_a_sum(results):
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 65535, (64, 64)).astype(np.uint16)
    Image.fromarray(noise).save(stream, format="PNG")
    (results / "a.png").write_bytes(stream.getvalue()[:3000])
    with pytest.raises(StudyError, match="not the whole of one"):
        read_probability(results / "a.png")


def test_a_file_that_was_changed_on_purpose_is_read_once_its_sum_is_deleted(results):
    path = results / "index.csv"
    write_csv(path, TABLE)
    path.write_text("sample,tp\nmine,1\n")
    with pytest.raises(StudyError, match=r"on purpose is taken as it is once .*\.index\.csv\.sum is deleted"):
        read_csv(path)
    (results / ".index.csv.sum").unlink()
    assert read_csv(path)["sample"].tolist() == ["mine"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"bytes": "x"}', '{"files": 3}'])
def test_a_damaged_sum_says_nothing(results, content):
    write_csv(results / "a.csv", TABLE)
    (results / ".a.csv.sum").write_text(content)
    assert len(read_csv(results / "a.csv")) == 8


def test_a_missing_entry_is_named(results):
    write_json(results / "run.json", {"seed": 1})
    with pytest.raises(StudyError, match="no entry 'seconds'"):
        read_json(results / "run.json", ("seed", "seconds"))
    write_json(results / "run.json", [1])
    with pytest.raises(StudyError, match="not entries with names"):
        read_json(results / "run.json", ("seed",))


def test_outside_a_study_no_command_is_made_up(tmp_path):
    write_csv(tmp_path / "a.csv", TABLE)
    changed(tmp_path / "a.csv", "cut")
    with pytest.raises(StudyError) as refused:
        read_csv(tmp_path / "a.csv")
    assert "snakemake" not in str(refused.value) and "copy it again" in str(refused.value)


def test_a_damaged_copy_of_a_training_is_not_put_back(tmp_path):
    outputs = {"history": tmp_path / "cell/history.csv", "run": tmp_path / "cell/run.json"}
    write_csv(outputs["history"], TABLE)
    write_json(outputs["run"], {"seed": 1})
    kept_outputs.KeptOutputs(tmp_path / "kept").save(outputs, {"seed": 1})
    for path in outputs.values():
        path.unlink()
    assert kept_outputs.KeptOutputs(tmp_path / "kept").restore(outputs, {"seed": 1})
    assert read_json(outputs["run"]) == {"seed": 1} and checksums.sum_of(outputs["history"]).exists()
    kept = tmp_path / "kept/history"
    kept.write_bytes(kept.read_bytes()[:20])
    outputs["run"].unlink()
    assert not kept_outputs.KeptOutputs(tmp_path / "kept").restore(outputs, {"seed": 1})
    assert json.loads(checksums.sum_of(outputs["history"]).read_text())["rows"] == 8


def test_a_training_refuses_a_store_in_which_a_bit_has_changed(results):
    from segstudy.training.cell import data_hashes

    with atomic_folder(results / "store", sealed=True) as folder:
        np.save(folder / "images.npy", np.zeros((4, 8, 8, 3), np.uint8))
    split = results / "split.csv"
    write_csv(split, TABLE)
    assert set(data_hashes(results / "store", split)) == {"store/images.npy", "split"}
    changed(results / "store/images.npy", "flipped")
    with pytest.raises(StudyError, match="--force -- results/tiny/store"):
        data_hashes(results / "store", split)


@pytest.mark.parametrize("study", ["tiny", "renamed"])
def test_a_file_copied_with_its_checksum_into_the_place_of_another_cell_is_refused(results, study):
    cells = results / "cells/drive/unet"
    folder = cells / "bce/default/seed0"
    write_csv(Path("results/tiny/cells/drive/unet/bce/default/seed0/counts.csv"), TABLE)
    with atomic_folder(Path("results/tiny/cells/drive/unet/bce/default/seed0/masks"), sealed=True) as made:
        write_json(made / "a.json", {"a": 1}, sealed=False)
    shutil.copytree(folder, cells / "dice/default/seed0")
    results.rename(results.with_name(study))
    kept, copied = (results.with_name(study) / f"cells/drive/unet/{loss}/default/seed0" for loss in ("bce", "dice"))
    assert len(read_csv(kept / "counts.csv")) == 8 and read_json(kept / "masks/a.json") == {"a": 1}
    for read, name in ((read_csv, "counts.csv"), (checksums.check_size, "counts.csv"), (read_json, "masks/a.json")):
        with pytest.raises(StudyError) as refused:
            read(copied / name)
        part = name.partition("/")[0]
        said = f"written as cells/drive/unet/bce/default/seed0/{part} and lies in the place of cells/drive/unet/dice"
        assert said in str(refused.value)
        assert f"--force -- results/{study}/cells/drive/unet/dice/default/seed0/{part}" in str(refused.value)
        assert f".{part}.sum is deleted" in str(refused.value)


@pytest.mark.parametrize(
    ("place", "as_another"),
    [
        ("results/tiny/cells/drive/unet/bce/default/seed0/tta", True),  # of the same cell, over mirror images
        ("archive/cells/drive/unet/dice/default/seed0", True),
        ("archive/cells/drive/unet/bce/default/seed0", False),
        ("cells/best", False),
        ("elsewhere", False),
    ],
)
def test_a_cell_may_be_copied_out_of_its_study_but_not_into_the_place_of_another(results, place, as_another):
    path = Path("results/tiny/cells/drive/unet/bce/default/seed0/counts.csv")
    write_csv(path, TABLE)
    shutil.copytree(path.parent, place)
    if as_another:
        with pytest.raises(StudyError, match="lies in the place of"):
            read_csv(Path(place, "counts.csv"))
    else:
        assert len(read_csv(Path(place, "counts.csv"))) == 8
