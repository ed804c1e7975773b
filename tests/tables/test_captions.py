"""Captions say how the images were used."""

import pandas as pd
import pytest

from segstudy.config.datasets import DatasetConfig
from segstudy.core.files import write_json
from segstudy.tables.captions import dataset_words, protocol
from tests.helpers.captions import MET


def words(tmp_path, official=True, val="carved", accepted=(), leaked=(0, 0), met=({}, {}), **options):
    rule = {"val": val, "test": "official" if official else "carved"}
    splits = [{"rule": rule, "test_in_training": n, "subsets": {"test": 20}} for n in leaked]
    write_json(tmp_path / "images.json", {"accepted": []})
    for seed in (0, 1):
        write_json(tmp_path / f"seed{seed}.json", MET | met[seed] | {"accepted": list(accepted), "split": splits[seed]})
    paths = [tmp_path / f"{name}.json" for name in ("images", "seed0", "seed1")]
    return protocol(DatasetConfig.model_validate({"reader": "drive", **options}), paths)


def test_an_official_test_set_is_named(tmp_path):
    assert words(tmp_path)["split"].startswith("official test set; validation 20% of the training images")
    assert "official" not in words(tmp_path, official=False)["split"]
    text = words(tmp_path, val="official")["split"]
    assert text.startswith("official test set; official validation set, new split per seed") and "20%" not in text


def test_a_declared_exception_is_printed_once_with_its_reason(tmp_path):
    found = {
        "kind": "near_duplicate",
        "text": "01 (test) and 21 (train) look alike",
        "reason": "both eyes of one person",
    }
    text = words(tmp_path, accepted=[found])["split"]
    assert text.count("01 (test) and 21 (train) look alike (accepted: both eyes of one person)") == 1


def test_many_exceptions_of_one_reason_are_counted_not_listed(tmp_path):
    kinds = ["group_straddles"] * 5 + ["mask_constant"]
    found = [{"kind": kind, "text": f"finding {n}", "reason": f"as {kind}"} for n, kind in enumerate(kinds)]
    text = words(tmp_path, accepted=found)["split"]
    assert "finding 0, and 4 more of kind group_straddles (accepted: as group_straddles)" in text
    assert "finding 5 (accepted: as mask_constant)" in text and "finding 3" not in text


def test_a_split_that_ignores_groups_says_how_much_of_it_leaks(tmp_path):
    text = words(tmp_path, official=False, leaked=(18, 15), split={"grouped": False})["split"]
    assert "groups are IGNORED: 82% of the test images" in text, "(18 + 15) / 40"
    assert "IGNORED" not in words(tmp_path, official=False)["split"]
    unchecked = protocol(DatasetConfig(reader="drive", split={"grouped": False}), [])  # tables of an unfinished study
    assert "IGNORED" not in unchecked["split"]


def test_what_the_checks_for_leaks_met_is_counted(tmp_path):
    none = words(tmp_path)["split"]
    assert none.endswith(
        "; copies sought among 1,320 pairs across subsets in each split: no near-duplicate; no groups of several images"
    )
    some = {"near_duplicates": 3, "moved_copies": 1, "groups": 12, "grouped_images": 1070}
    text = words(tmp_path, met=({}, some))["split"]
    assert "in each split: up to 3 near-duplicates (1 moved copies); 12 groups of several images hold 1,070" in text
    assert "in each split: 3 near-duplicates (1 moved" in words(tmp_path, met=(some, some))["split"]


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ("native", "original pixels"),
        ({"long_side": 512}, "long side of 512"),
        ({"height": 64, "width": 96}, "fitted into 64x96"),
    ],
)
def test_the_size_is_said(tmp_path, size, says):
    assert says in words(tmp_path, size=size)["size"]


def test_tiles_of_the_prediction_are_said(tmp_path):
    tiled = words(tmp_path, size={"long_side": 1024}, prediction={"tile": [128, 96], "overlap": 0.25})["size"]
    assert tiled.endswith("of 1024 pixels, and predict them in tiles of 128x96 that overlap by 25%")
    assert "tiles" not in words(tmp_path)["size"]


def test_drawn_data_is_said(tmp_path):
    assert words(tmp_path, phantom={})["phantom"] is True
    assert words(tmp_path)["phantom"] is False


def test_joined_masks_of_annotators_are_said(tmp_path):
    names = {"dataset": "d", "row": "cell", "subset": "test", "model": "m", "loss": "l", "recipe": "r", "seed": 0}
    counts = pd.DataFrame([names | {"class": "x", "sample": "a", "region": "full", "own_region": "full"}])
    said = words(tmp_path, truth="union")
    assert dataset_words("d", counts, said).endswith("joined by union, where several have drawn.")
    assert "truth" not in words(tmp_path, truth="first")
    assert "annotators" not in dataset_words("d", counts, words(tmp_path))


def test_void_and_a_missing_background_are_said(tmp_path):
    write_json(tmp_path / "images.json", {"accepted": [], "void": {"values": "0", "images": 3}})
    said = protocol(DatasetConfig.model_validate({"reader": "folder"}), [tmp_path / "images.json"])
    row = {"dataset": "d", "row": "cell", "subset": "test", "model": "m", "loss": "l", "recipe": "r", "seed": 0}
    rows = [row | {"class": name, "sample": "a", "region": "full", "own_region": "full"} for name in ("wall", "roof")]
    text = dataset_words("d", pd.DataFrame(rows), said)
    assert "; 2 classes; " in text and text.endswith("over the full frame without void (0 in the masks).")
    rows.append(rows[0] | {"class": "background"})
    text = dataset_words("d", pd.DataFrame(rows), {**said, "void": ""})
    assert "3 classes, the background among them; " in text and "void" not in text
