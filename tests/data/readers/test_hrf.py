"""HRF as it lies on disks: mixed suffixes, missing fields of view, all in one folder, archives beside each other."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.datasets import Phantom
from segstudy.core.errors import StudyError
from segstudy.data.images.read_masks import read_mask
from segstudy.data.index import build_index
from tests.helpers.phantoms import draw
from tests.helpers.raw_data import said


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("hrf")
    draw("hrf", root, Phantom(images=6, height=40, width=60))
    return root / "HRF"


@pytest.fixture
def root(original, tmp_path):
    return shutil.copytree(original, tmp_path / "data" / "HRF")


def content(frame):
    return frame[["sample", "stratum", "group", "image_sha256", "mask_sha256", "roi_sha256"]]


def test_parts_belong_together_whatever_the_suffix(root):
    frame = build_index("hrf", root).set_index("sample")
    assert frame.loc["01_dr", "image"] == "images/01_dr.JPG" and frame.loc["01_h", "image"] == "images/01_h.jpg"
    assert frame.loc["02_g", "mask"] == "manual1/02_g.tif" and frame.loc["02_g", "roi"] == "mask/02_g_mask.tif"
    assert frame["stratum"].to_dict() == {
        **{f"0{n}_dr": "diabetic_retinopathy" for n in (1, 2)},
        **{f"0{n}_g": "glaucoma" for n in (1, 2)},
        **{f"0{n}_h": "healthy" for n in (1, 2)},
    }
    assert (frame["official_subset"] == "").all() and frame.attrs["repairs"] == []


def test_one_number_of_two_diagnoses_is_two_people(root):
    frame = build_index("hrf", root)
    assert list(frame["group"]) == list(frame["sample"]) and frame["group"].is_unique


def test_the_field_of_view_is_not_the_vessels(root):
    for row in build_index("hrf", root).to_dict("records"):
        field, vessels = read_mask(root / row["roi"]), read_mask(root / row["mask"])
        assert field.mode == "TIFF RGB" and field.array.mean() > 1.5 * vessels.array.mean()


@pytest.mark.parametrize("level", [".", "HRF", "retina/HRF"])
def test_root_at_each_level(root, tmp_path, level):
    shutil.copytree(root, tmp_path / "moved" / level)
    pd.testing.assert_frame_equal(content(build_index("hrf", tmp_path / "moved")), content(build_index("hrf", root)))


def test_all_in_one_folder(root, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in root.rglob("*.*"):
        shutil.copy(path, flat / path.name)
    pd.testing.assert_frame_equal(content(build_index("hrf", flat)), content(build_index("hrf", root)))


def test_the_archives_of_the_release_beside_each_other(root, tmp_path):
    out = tmp_path / "unpacked"
    for part, ending in (("images", ""), ("manual1", "_manualsegm"), ("mask", "_fovmask")):
        for path in (root / part).iterdir():
            kind = {"h": "healthy", "dr": "diabetic_retinopathy", "g": "glaucoma"}[path.stem.split("_")[1]]
            (out / (kind + ending)).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, out / (kind + ending) / path.name)
    pd.testing.assert_frame_equal(content(build_index("hrf", out)), content(build_index("hrf", root)))


def test_odd_spellings(root):
    expected = content(build_index("hrf", root))
    (root / "images" / "01_dr.JPG").rename(root / "images" / "1_DR .jpeg")
    (root / "mask" / "01_dr_mask.tif").rename(root / "mask" / "01_dr_MASK.TIF")
    (root / "manual1").rename(root / "Manual 1")
    (root / "images" / "Thumbs.db").write_text("x")
    (root / "images" / "._01_h.jpg").write_text("x")
    pd.testing.assert_frame_equal(content(build_index("hrf", root)), expected)


def test_missing_fields_of_view_and_vessels_are_said(root):
    for name in ("01_g", "02_g"):
        (root / "mask" / f"{name}_mask.tif").unlink()
    (root / "manual1" / "02_h.tif").unlink()
    (root / "images" / "02_dr.JPG").unlink()
    frame = build_index("hrf", root).set_index("sample")
    assert (frame.loc[["01_g", "02_g"], "roi"] == "").all() and frame.loc["01_h", "roi"] != ""
    assert said(frame, "field of view", "2 of 5", "01_g, 02_g")
    assert frame.loc["02_h", "mask"] == "" and said(frame, "manual1 (vessels)", "1 of 5", "02_h")
    assert "02_dr" not in frame.index and said(frame, "without an image", "02_dr")


def test_png_photographs_in_their_folder_are_photographs(root):
    with Image.open(root / "images" / "01_h.jpg") as image:
        image.save(root / "images" / "01_h.png")
    frame = build_index("hrf", root).set_index("sample")
    assert frame.loc["01_h", "image"] == "images/01_h.png" and said(frame, "is used of")


def test_two_files_for_one_picture_are_an_error(root):
    array = np.zeros((40, 60), np.uint8)
    (root / "more" / "manual1").mkdir(parents=True)
    Image.fromarray(array).save(root / "more" / "manual1" / "01_h.tif")
    with pytest.raises(StudyError, match="several files for one picture") as caught:
        build_index("hrf", root)
    assert "manual1/01_h.tif" in str(caught.value) and "more/manual1/01_h.tif" in str(caught.value)
