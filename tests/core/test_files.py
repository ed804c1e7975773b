"""Nobody ever reads half a file."""

import json

import numpy as np
import pandas as pd
import pytest

from segstudy.core.files import atomic_folder, atomic_path, read_csv, read_json, write_csv, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_folder_leaves_the_old_folder_and_nothing_else(tmp_path):
    path = tmp_path / "store"
    with atomic_folder(path) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(RuntimeError), atomic_folder(path) as temporary:
        (temporary / "a").write_text("half")
        raise RuntimeError
    assert (path / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "store"
    for name in ("a", "b"):
        with atomic_folder(path) as temporary:
            (temporary / name).write_text(name)
    assert [file.name for file in path.iterdir()] == ["b"]


def test_samples_stay_text_and_absent_text_is_empty(tmp_path):
    table = pd.DataFrame({"sample": ["01", "2"], "mask": ["", "m.png"], "value": [0.1, float("nan")]})
    write_csv(tmp_path / "t.csv", table)
    back = read_csv(tmp_path / "t.csv")
    assert list(back["sample"]) == ["01", "2"]
    assert list(back["mask"]) == ["", "m.png"]
    assert back["value"].isna().tolist() == [False, True]


def test_an_all_empty_text_column_comes_back_as_text(tmp_path):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"sample": ["a"], "roi": [""], "stratum": [""]}))
    back = read_csv(tmp_path / "t.csv")
    assert back["stratum"].tolist() == [""]


def test_not_a_number_is_null_in_json(tmp_path):
    write_json(tmp_path / "a.json", {"x": float("nan"), "y": [1.5, float("nan")]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": None, "y": [1.5, None]}
    assert read_json(tmp_path / "a.json")["y"] == [1.5, None]


def test_numbers_survive_to_the_last_bit(tmp_path):
    values = np.random.default_rng(0).uniform(size=10_000) * 10.0 ** np.random.default_rng(1).integers(-12, 12, 10_000)
    write_csv(tmp_path / "t.csv", pd.DataFrame({"value": values}))
    assert (read_csv(tmp_path / "t.csv")["value"].to_numpy() == values).all()


def test_a_sample_may_be_called_na(tmp_path):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"sample": ["NA", "null"], "loss": ["", "nan"]}))
    assert read_csv(tmp_path / "t.csv")["sample"].tolist() == ["NA", "null"]
    assert read_csv(tmp_path / "t.csv")["loss"].tolist() == ["", "nan"]
