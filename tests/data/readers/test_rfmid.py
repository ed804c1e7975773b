"""RFMiD as it is found on disk: three sets that number from 1, tables of diseases, no masks."""

import json
import shutil

import pandas as pd
import pytest
from PIL import Image

from segstudy.config.datasets import Phantom
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv
from segstudy.data.card import describe
from segstudy.data.checks.image_checks import check_images
from segstudy.data.index import build_index
from segstudy.data.readers.registry import labels_of
from tests.helpers.phantoms import draw
from tests.helpers.raw_data import said

SETS = {
    "Training_Set/Training_Set": "training",
    "Evaluation_Set/Evaluation_Set": "evaluation",
    "Test_Set/Test_Set": "test",
}
PHOTOGRAPHS = "Training_Set/Training_Set/Training"
TABLE = "Training_Set/Training_Set/RFMiD_Training_Labels.csv"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("rfmid")
    draw("rfmid", root, Phantom(images=20, height=32, width=40, seed=1))
    return root


@pytest.fixture
def rfmid(original, tmp_path):
    return shutil.copytree(original / "RFMiD", tmp_path / "data" / "RFMiD")


def test_numbers_begin_at_1_in_every_set_and_10_follows_9(rfmid):
    frame = build_index("rfmid", rfmid)
    expected = [*(f"evaluation_{n}" for n in range(1, 5)), *(f"test_{n}" for n in range(1, 5))]
    assert list(frame["sample"]) == [*expected, *(f"training_{n}" for n in range(1, 13))]
    assert set(frame["official_subset"]) == {"unlabelled"} and (frame["mask"] == "").all()
    assert frame["stratum"].value_counts().to_dict() == {"disease": 18, "healthy": 2}
    assert frame.loc[frame["sample"] == "training_10", "stratum"].item() == "healthy"
    assert frame.attrs["repairs"] == []


@pytest.mark.parametrize("inner", [True, False])
def test_the_inner_folder_and_the_level_above_may_be_there_or_not(rfmid, tmp_path, inner):
    expected = build_index("rfmid", rfmid)[["sample", "stratum", "image_sha256"]]
    for folder in SETS:
        target = tmp_path / "moved" / (folder if inner else folder.split("/")[0])
        shutil.copytree(rfmid / folder, target)
    pd.testing.assert_frame_equal(
        build_index("rfmid", tmp_path / "moved")[["sample", "stratum", "image_sha256"]], expected
    )
    pd.testing.assert_frame_equal(build_index("rfmid", rfmid.parent)[["sample", "stratum", "image_sha256"]], expected)


def test_the_folders_of_the_original_publication(rfmid, tmp_path):
    expected = build_index("rfmid", rfmid)[["sample", "stratum", "image_sha256"]]
    root = tmp_path / "A. RFMiD_All_Classes_Dataset"
    (root / "2. Groundtruths").mkdir(parents=True)
    names = ("a. Training Set", "b. Validation Set", "c. Testing Set")
    tables = ("a. RFMiD_Training_Labels.csv", "b. RFMiD_Validation_Labels.csv", "c. RFMiD_Testing_Labels.csv")
    for folder, name, table in zip(SETS, names, tables, strict=True):
        images = next(path for path in (rfmid / folder).iterdir() if path.is_dir())
        shutil.copytree(images, root / "1. Original Images" / name)
        shutil.copy(next((rfmid / folder).glob("*.csv")), root / "2. Groundtruths" / table)
    pd.testing.assert_frame_equal(build_index("rfmid", root)[["sample", "stratum", "image_sha256"]], expected)


def test_a_card_and_checks_without_a_single_mask(rfmid, tmp_path):
    frame = build_index("rfmid", rfmid)
    labels = labels_of("rfmid")
    describe(frame, rfmid, "rfmid", labels, "rfmid", tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["labelled"] == 0 and card["foreground"] is None and card["problems"] == {}
    assert card["strata"]["healthy"]["images"] == 2
    assert check_images(read_csv(tmp_path / "samples.csv"), frame, labels=labels)["findings"] == []
    with Image.open(tmp_path / "examples.png") as sheet:
        assert sheet.width > 300


def test_tables_and_photographs_that_do_not_match_are_said(rfmid):
    (rfmid / PHOTOGRAPHS / "3.png").unlink()
    lines = (rfmid / TABLE).read_text().splitlines()
    (rfmid / TABLE).write_text("\n".join([lines[0], *lines[2:], ""]))
    (rfmid / "Test_Set/Test_Set/RFMiD_Testing_Labels.csv").unlink()
    Image.new("RGB", (8, 6)).save(rfmid / PHOTOGRAPHS / "montage.png")
    frame = build_index("rfmid", rfmid).set_index("sample")
    assert frame.loc["training_1", "stratum"] == "" and said(frame, "does not name photograph 1")
    assert said(frame, "names 1 photographs that are not here: 3")
    assert said(frame, "no table of labels for the test set") and frame.loc["test_1", "stratum"] == ""
    assert said(frame, "left out", "montage.png")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ID,DiseaseRisk\n1,0\n", "Did you mean 'DiseaseRisk'"),
        ("ID,Disease_Risk\n1,0\n2,yes\n", "row 3 names no photograph or no Disease_Risk: 2, yes"),
        ("ID,Disease_Risk\n1\n", "row 2"),
        ("", "no column ID"),
    ],
)
def test_tables_that_make_no_sense_are_errors_with_a_row(rfmid, text, words):
    (rfmid / TABLE).write_text(text)
    with pytest.raises(StudyError, match=words) as caught:
        build_index("rfmid", rfmid)
    assert "RFMiD_Training_Labels.csv" in str(caught.value)


def test_two_folders_of_one_set_ask_which(rfmid):
    shutil.copytree(rfmid / "Training_Set", rfmid / "copy" / "Training_Set")
    with pytest.raises(StudyError, match="2 folders of the training set"):
        build_index("rfmid", rfmid)


def test_one_number_under_two_names_is_an_error(rfmid):
    shutil.copy(rfmid / PHOTOGRAPHS / "1.png", rfmid / PHOTOGRAPHS / "01.png")
    with pytest.raises(StudyError, match="number 1 names several files"):
        build_index("rfmid", rfmid)
