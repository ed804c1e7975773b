"""Readers on every layout that data sets are found in; variants are made from phantoms."""

import re
import shutil
import sys
import time
import types

import numpy as np
import openpyxl
import pandas as pd
import pytest
from PIL import Image

import segstudy.data.readers.registry
from segstudy.config.datasets import Phantom
from segstudy.config.readers import READERS
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv, write_csv
from segstudy.data.images.read import image_size
from segstudy.data.images.read_masks import read_mask
from segstudy.data.index import build_index, repairs
from segstudy.data.readers import discovery
from segstudy.data.readers.discovery import natural
from segstudy.data.readers.registry import reader_module
from tests.helpers.phantoms import DRAWERS, draw
from tests.helpers.raw_data import said

COLUMNS = [
    *("sample", "image", "mask", "roi", "second_mask", "stratum", "group", "official_subset"),
    *("width", "height", "image_sha256", "mask_sha256", "roi_sha256", "second_mask_sha256"),
]
OPTIONS = Phantom(images=6, height=40, width=48, seed=1)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    root = tmp_path_factory.mktemp("originals")
    for reader in DRAWERS:
        draw(reader, root / reader, OPTIONS)
    return root


@pytest.fixture
def ph2(originals, tmp_path):
    return shutil.copytree(originals / "ph2" / "PH2Dataset", tmp_path / "data" / "PH2Dataset")


@pytest.fixture
def drive(originals, tmp_path):
    return shutil.copytree(originals / "drive" / "DRIVE", tmp_path / "data" / "DRIVE")


def content(frame):
    """What must not depend on the layout."""
    return frame[["sample", "stratum", "official_subset", "image_sha256", "mask_sha256", "roi_sha256"]]


@pytest.mark.parametrize("reader", DRAWERS)
def test_index_is_what_the_architecture_says(reader, originals, tmp_path):
    frame = build_index(reader, originals / reader)
    assert list(frame.columns) == COLUMNS
    assert list(frame["sample"]) == sorted(frame["sample"], key=natural)
    assert set(frame["official_subset"]) <= {"train", "val", "test", "unlabelled", ""}
    for row in frame.to_dict("records"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", row["sample"])
        assert image_size(originals / reader / row["image"]) == (row["width"], row["height"])
        for part in ("image", "mask", "roi", "second_mask"):
            assert (row[part] == "") == (row[f"{part}_sha256"] == "")
            assert row[part] == "" or (originals / reader / row[part]).is_file()
    write_csv(tmp_path / "index.csv", frame)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "index.csv"), frame, check_dtype=False)


@pytest.mark.parametrize("reader", READERS)
def test_readers_say_what_they_read(reader):
    module = reader_module(reader)
    assert len(module.LABELS.names) >= 2 and all(isinstance(name, str) for name in module.LABELS.names)
    for text in (module.TITLE, module.TASK, module.SOURCE, module.LAYOUT):
        assert text and "\n" not in text


@pytest.mark.parametrize("reader", READERS)
def test_only_the_right_reader_recognises_a_layout(reader, originals):
    for other in DRAWERS:
        assert reader_module(reader).recognises(originals / other) == (other == reader)


# --- PH2 ---


@pytest.mark.parametrize("level", [".", "PH2Dataset", "PH2Dataset/PH2 Dataset images"])
def test_ph2_root_at_each_of_three_levels(ph2, level):
    frame = build_index("ph2", ph2.parent / level)
    pd.testing.assert_frame_equal(content(frame), content(build_index("ph2", ph2)))
    assert (frame["stratum"] != "").all() and frame.attrs["repairs"] == []
    assert all((ph2.parent / level / path).is_file() for path in frame["mask"])


@pytest.mark.parametrize("spelling", ["PH2Dataset images", "PH2_Dataset_images", "ph2 dataset images", "images"])
def test_ph2_spellings_of_the_image_folder(ph2, spelling):
    expected = content(build_index("ph2", ph2))
    (ph2 / "PH2 Dataset images").rename(ph2 / spelling)
    pd.testing.assert_frame_equal(content(build_index("ph2", ph2)), expected)


def test_ph2_roi_folders_are_not_lesions(ph2):
    frame = build_index("ph2", ph2)
    assert not frame["mask"].str.contains("_roi").any()
    assert (frame["roi"] == "").all()


def test_ph2_lossless_mask_wins_and_a_lone_jpeg_is_reported(ph2):
    cases = list(build_index("ph2", ph2)["sample"])
    for case in cases[:2]:
        folder = ph2 / "PH2 Dataset images" / case / f"{case}_lesion"
        with Image.open(folder / f"{case}_lesion.bmp") as mask:
            mask.convert("L").save(folder / f"{case}_lesion.jpg", quality=60)
    truth = read_mask(ph2 / "PH2 Dataset images" / cases[1] / f"{cases[1]}_lesion" / f"{cases[1]}_lesion.bmp").array
    (ph2 / "PH2 Dataset images" / cases[1] / f"{cases[1]}_lesion" / f"{cases[1]}_lesion.bmp").unlink()
    frame = build_index("ph2", ph2).set_index("sample")
    assert frame.loc[cases[0], "mask"].endswith(".bmp")
    assert said(frame, "more than one lesion mask", cases[0])
    assert frame.loc[cases[1], "mask"].endswith(".jpg")
    assert said(frame, "only a lossy JPEG", cases[1])
    assert (read_mask(ph2 / frame.loc[cases[1], "mask"]).array == truth).mean() > 0.97
    assert repairs(frame.reset_index(), "ph2", ph2) == frame.attrs["repairs"]


def test_ph2_missing_files_are_said_not_hidden(ph2):
    cases = list(build_index("ph2", ph2)["sample"])
    shutil.rmtree(ph2 / "PH2 Dataset images" / cases[0] / f"{cases[0]}_lesion")
    shutil.rmtree(ph2 / "PH2 Dataset images" / cases[1] / f"{cases[1]}_Dermoscopic_Image")
    frame = build_index("ph2", ph2).set_index("sample")
    assert frame.loc[cases[0], "mask"] == "" and frame.loc[cases[0], "mask_sha256"] == ""
    assert cases[1] not in frame.index and said(frame, "left out", cases[1])


def table_rows(ph2):
    codes = {"common_nevus": 0, "atypical_nevus": 1, "melanoma": 2}
    return [(row["sample"], codes[row["stratum"]]) for row in build_index("ph2", ph2).to_dict("records")]


def tabbed(path, rows):
    lines = ["Name\tClinical Diagnosis\tAsymmetry", *(f"{name}\t{code}\t0" for name, code in rows)]
    path.with_suffix(".txt").write_bytes(
        "\r\n".join([*lines, "\t\t", "gends f\t\t", "0 - Co\t\t", "2 - Me\t\t"]).encode()
    )


def commas(path, rows):
    names = ("Common Nevus", "Atypical Nevus", "Melanoma")
    lines = ["image_id,diagnosis", *(f"{name},{names[code]}" for name, code in rows)]
    path.with_suffix(".txt").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")


def crossed_sheet(path, rows):
    book = openpyxl.Workbook()
    sheet = book.active
    for cell, value in {"F2": "Legends", "F3": "Asymmetry", "G3": 0, "H3": "Fully Simmetric"}.items():
        sheet[cell] = value
    sheet["C12"] = "Clinical Diagnosis"
    header = [
        "Image Name",
        "Histological Diagnosis",
        "Common Nevus",
        "Atypical Nevus",
        "Melanoma",
        "Asymmetry\n(0/1/2)",
    ]
    for column, title in enumerate(header, start=1):
        sheet.cell(13, column, title)
    for line, (name, code) in enumerate(rows, start=14):
        sheet.cell(line, 1, name)
        sheet.cell(line, 3 + code, "X")
        sheet.cell(line, 6, 0)
    book.save(path.with_suffix(".xlsx"))


def coded_sheet(path, rows):
    book = openpyxl.Workbook()
    for row in [("Name", "Clinical Diagnosis"), *rows]:
        book.active.append(row)
    book.save(path.with_suffix(".xlsx"))


@pytest.mark.parametrize("write", [tabbed, commas, crossed_sheet, coded_sheet])
def test_ph2_diagnoses_from_every_form_of_the_table(ph2, write):
    expected = content(build_index("ph2", ph2))
    rows = table_rows(ph2)
    (ph2 / "PH2_dataset.txt").unlink()
    write(ph2 / "PH2_dataset", rows)
    frame = build_index("ph2", ph2)
    pd.testing.assert_frame_equal(content(frame), expected)
    assert frame.attrs["repairs"] == []


def test_ph2_official_table_keeps_histology_out_of_the_clinical_diagnosis(ph2):
    text = (ph2 / "PH2_dataset.txt").read_text()
    assert "|| Histological Diagnosis || Clinical Diagnosis ||" in text and "0 - Common Nevus" in text
    assert build_index("ph2", ph2)["stratum"].value_counts().to_dict() == {
        "common_nevus": 3,
        "atypical_nevus": 2,
        "melanoma": 1,
    }


def test_ph2_without_table_has_empty_strata_and_says_so(ph2):
    (ph2 / "PH2_dataset.txt").unlink()
    frame = build_index("ph2", ph2)
    assert (frame["stratum"] == "").all() and said(frame, "no table of diagnoses")


def test_ph2_partial_tables_and_partial_copies_are_said(ph2):
    rows = table_rows(ph2)
    tabbed(ph2 / "PH2_dataset", [*rows[1:], ("IMD999", 2)])
    frame = build_index("ph2", ph2)
    assert frame["stratum"].iloc[0] == "" and said(frame, "no diagnosis", rows[0][0])
    assert said(frame, "lists 6 cases, 1 of them")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["Name\tClinical Diagnosis", "IMD001\t7"], "'7' is no diagnosis"),
        (["Name\tAsymmetry", "IMD001\t0"], "names no diagnosis"),
        (["IMD001\t0\t0"], "before any header"),
        (["Name\tClinical Diagnosis"], "names no case"),
        (["Name\tCommon Nevus\tAtypical Nevus\tMelanoma", "IMD001\tX\tX\t"], "2 diagnoses are marked"),
    ],
)
def test_ph2_tables_that_make_no_sense_are_errors_with_a_row(ph2, lines, words):
    (ph2 / "PH2_dataset.txt").write_text("\n".join(lines))
    with pytest.raises(StudyError, match=words) as caught:
        build_index("ph2", ph2)
    assert "PH2_dataset.txt" in str(caught.value)


def test_ph2_twice_below_the_root_asks_which(ph2):
    shutil.copytree(ph2 / "PH2 Dataset images", ph2 / "copy")
    with pytest.raises(StudyError, match="2 folders of PH2 cases"):
        build_index("ph2", ph2)


# --- DRIVE ---


@pytest.mark.parametrize("parent", ["", "DRIVE", "retina/DRIVE"])
@pytest.mark.parametrize("halves", [("training", "test"), ("training", "testing"), ("Train", "Test")])
def test_drive_parents_and_names_of_the_halves(drive, tmp_path, parent, halves):
    expected = content(build_index("drive", drive))
    root = tmp_path / "moved"
    for old, new in zip(("training", "test"), halves, strict=True):
        shutil.copytree(drive / old, root / parent / new)
    pd.testing.assert_frame_equal(content(build_index("drive", root)), expected)


def test_drive_masks_are_the_field_of_view_and_manuals_the_vessels(drive):
    for row in build_index("drive", drive).to_dict("records"):
        assert "/1st_manual/" in row["mask"] and "/mask/" in row["roi"] and row["group"] == row["sample"]
        assert row["sample"] in row["image"] and row["sample"] in row["mask"] and row["sample"] in row["roi"]
        assert ("/2nd_manual/" in row["second_mask"]) == (row["official_subset"] == "test")
        assert read_mask(drive / row["roi"]).array.mean() > 2 * read_mask(drive / row["mask"]).array.mean()


def test_drive_newer_release_without_test_labels(drive):
    for folder in ("1st_manual", "2nd_manual"):
        shutil.rmtree(drive / "test" / folder)
    frame = build_index("drive", drive)
    test = frame[frame["official_subset"] == "test"]
    assert len(test) == 3 and (test["mask"] == "").all() and (test["second_mask"] == "").all()
    assert (frame.loc[frame["official_subset"] == "train", "mask"] != "").all()
    assert said(frame, "no 1st_manual", "3 of 3")


def test_drive_odd_names_and_formats_belong_together_by_id(drive):
    expected = build_index("drive", drive)
    training = drive / "training"
    (training / "images" / "21_training.tif").rename(training / "images" / "21_training .tif")
    (training / "1st_manual" / "22_manual1.gif").rename(training / "1st_manual" / "22_manual1).gif")
    (training / "mask" / "22_training_mask.gif").rename(training / "mask" / "[22_training_mask.gif")
    with Image.open(training / "images" / "23_training.tif") as image:
        image.save(training / "images" / "23_training.png")
        image.convert("RGBA").save(drive / "test" / "images" / "01_test.tif")
    (training / "images" / "23_training.tif").unlink()
    (training / "images" / "Thumbs.db").write_text("x")
    (training / "images" / "._21_training.tif").write_text("x")
    frame = build_index("drive", drive)
    assert list(frame["sample"]) == list(expected["sample"]) and list(frame["mask_sha256"]) == list(
        expected["mask_sha256"]
    )
    assert frame.attrs["repairs"] == []


def test_drive_copies_under_new_or_old_ids_are_not_swallowed(drive):
    images = drive / "training" / "images"
    shutil.copy(images / "21_training.tif", images / "57_training.tif")
    assert said(build_index("drive", drive), "augmented copies", "57")
    shutil.copy(images / "21_training.tif", images / "21_training_flip.tif")
    with pytest.raises(StudyError, match="number 21 names several files"):
        build_index("drive", drive)


def test_drive_same_picture_in_two_formats_is_used_once(drive):
    images = drive / "training" / "images"
    with Image.open(images / "21_training.tif") as image:
        image.save(images / "21_training.jpg")
    frame = build_index("drive", drive).set_index("sample")
    assert frame.loc["21", "image"].endswith(".tif") and said(frame, "21_training.tif is used of")


def test_drive_id_in_both_halves_is_an_error(drive):
    shutil.copy(drive / "training" / "images" / "21_training.tif", drive / "test" / "images" / "21_test.tif")
    with pytest.raises(StudyError, match="same ids"):
        build_index("drive", drive)


def test_drive_with_one_half_says_so(drive):
    shutil.rmtree(drive / "test")
    frame = build_index("drive", drive)
    assert set(frame["official_subset"]) == {"train"} and said(frame, "no test folder")


# --- any ---


def test_roots_that_are_another_data_set_say_which(ph2, drive):
    for reader, root, other in (("ph2", drive, "DRIVE"), ("drive", ph2, "PH2")):
        with pytest.raises(StudyError, match=f"this looks like {other}") as caught:
            build_index(reader, root, dataset="mine")
        text = str(caught.value)
        assert str(root) in text and "datasets.mine.root" in text and "data_root" in text and "images" in text


def test_missing_and_empty_roots_name_path_and_key(tmp_path):
    with pytest.raises(StudyError, match="does not exist") as caught:
        build_index("ph2", tmp_path / "nowhere")
    assert "nowhere" in str(caught.value) and "datasets.ph2.root" in str(caught.value)
    with pytest.raises(StudyError, match="no DRIVE data here") as caught:
        build_index("drive", tmp_path)
    assert "nothing" in str(caught.value)


def test_unknown_reader_lists_the_known():
    with pytest.raises(StudyError, match="Did you mean 'drive'") as caught:
        build_index("drvie", "x")
    assert "ph2" in str(caught.value)


def test_truncated_header_is_an_error_that_names_the_file(drive):
    path = drive / "training" / "images" / "21_training.tif"
    path.write_bytes(path.read_bytes()[:6])
    with pytest.raises(StudyError, match="cannot be read") as caught:
        build_index("drive", drive)
    assert str(path) in str(caught.value)


def test_replacing_a_mask_changes_the_index(drive):
    before = build_index("drive", drive).set_index("sample")
    path = drive / before.loc["21", "mask"]
    Image.fromarray(np.zeros((40, 48), np.uint8)).save(path)
    after = build_index("drive", drive).set_index("sample")
    assert list(before.index[before["mask_sha256"] != after["mask_sha256"]]) == ["21"]


def test_natural_order_puts_2_before_10():
    names = ["10", "9", "IMD100", "IMD002", "a10b2", "a10b10", "a9"]
    assert sorted(names, key=natural) == ["9", "10", "IMD002", "IMD100", "a9", "a10b2", "a10b10"]


@pytest.mark.parametrize("reader", DRAWERS)
def test_indexing_is_quick(reader, originals, tmp_path):
    root = tmp_path / "many"
    draw(reader, root, Phantom(images=40, height=32, width=32))
    seconds = []
    for _ in range(3):
        started = time.process_time()
        build_index(reader, root, threads=1)
        seconds.append(time.process_time() - started)
    assert 40 / min(seconds) > 200, "images a second on one core"


def test_readers_that_break_the_contract_are_told_so(tmp_path, monkeypatch):
    for names, words in ((["a", "a"], "share a sample name"), (["a b", "c"], "cannot be a sample name")):
        module = types.ModuleType("segstudy.data.readers.odd")
        rows = [{"sample": name, "image": "x.png"} for name in names]
        module.TITLE, module.LAYOUT, module.recognises = "Odd", "", lambda root: True
        module.index = lambda root, rows=rows: discovery.frame(rows, [])
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(segstudy.data.readers.registry, "READERS", ("odd",))
        with pytest.raises(StudyError, match=words):
            build_index("odd", tmp_path)
