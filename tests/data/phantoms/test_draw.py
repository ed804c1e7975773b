"""Drawn stand-ins: official layout, same bytes for the same seed, a task worth learning."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from segstudy.config.datasets import DatasetConfig, Phantom
from segstudy.config.readers import DRAWN
from segstudy.core.errors import StudyError
from segstudy.data.images.read import read_image
from segstudy.data.images.read_masks import read_mask
from segstudy.data.index import build_index
from segstudy.data.phantoms.draw import DRAWERS, draw
from tests.helpers import phantoms
from tests.helpers.raw_data import contents

SMALL = Phantom(images=6, height=64, width=80, seed=3)


@pytest.fixture(scope="module", params=["ph2", "drive", "ebhi", "phc"])
def drawn(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param) / "drawn"
    draw(request.param, root, SMALL)
    return request.param, root


def pairs(reader, root):
    for row in build_index(reader, root).to_dict("records"):
        yield row, read_image(root / row["image"]), read_mask(root / row["mask"]).array


def test_everything_drawn_can_be_read_back(drawn):
    reader, root = drawn
    frame = build_index(reader, root)
    assert len(frame) == SMALL.images and frame.attrs["repairs"] == []
    assert set(frame["width"]) == {80} and set(frame["height"]) == {64}
    for _, image, mask in pairs(reader, root):
        assert image.shape == (64, 80, 3) and mask.shape == (64, 80)
        assert 0.01 < mask.mean() < 0.9
        assert image.std() > 5


def test_manifest_lists_all_files_as_they_are(drawn):
    reader, root = drawn
    manifest = json.loads((root / "phantom.json").read_text())
    assert manifest["reader"] == reader and manifest["options"] == SMALL.model_dump()
    listed = {path: (size, time) for path, size, time in manifest["files"]}
    assert set(listed) == set(contents(root))
    for path, (size, time) in listed.items():
        status = (root / path).stat()
        assert (status.st_size, status.st_mtime_ns) == (size, time)


def test_same_seed_same_bytes_even_in_another_process(drawn, tmp_path):
    reader, root = drawn
    code = (
        "import sys; from segstudy.config.datasets import Phantom; from segstudy.data.phantoms.draw import draw; "
        f"draw({reader!r}, sys.argv[1], Phantom(images=6, height=64, width=80, seed=3))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "99"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "again")], check=True, env=environment)
    assert contents(tmp_path / "again") == contents(root)
    draw(reader, tmp_path / "other", SMALL.model_copy(update={"seed": 4}))
    assert contents(tmp_path / "other") != contents(root)


def test_a_new_drawing_replaces_the_old_one_whole(tmp_path):
    draw("drive", tmp_path / "p", SMALL)
    draw("ph2", tmp_path / "p", Phantom(images=4, height=32, width=32))
    assert len(build_index("ph2", tmp_path / "p")) == 4
    assert not (tmp_path / "p" / "DRIVE").exists()


def test_a_folder_with_other_files_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StudyError, match="more than a phantom"):
        draw("ph2", tmp_path, SMALL)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_unknown_phantom_names_those_there_are(tmp_path):
    with pytest.raises(StudyError, match="no phantom") as caught:
        draw("facades_of_mars", tmp_path / "x", SMALL)
    assert "ph2, drive" in str(caught.value)


def test_ph2_phantom_has_the_encodings_of_ph2(tmp_path):
    draw("ph2", tmp_path / "p", Phantom(images=10, height=48, width=64))
    frame = build_index("ph2", tmp_path / "p")
    modes = [Image.open(tmp_path / "p" / path).mode for path in frame["mask"]]
    assert sorted(modes) == ["1"] * 9 + ["RGB"]
    assert frame["stratum"].value_counts().to_dict() == {"common_nevus": 4, "atypical_nevus": 4, "melanoma": 2}
    numbers = [int(name[3:]) for name in frame["sample"]]
    assert numbers != list(range(numbers[0], numbers[0] + 10))
    assert len(list((tmp_path / "p").rglob("*_roi/*_R1_Label4.bmp"))) == 10


def test_drive_phantom_has_the_encodings_of_drive(tmp_path):
    draw("drive", tmp_path / "p", SMALL)
    frame = build_index("drive", tmp_path / "p").set_index("sample")
    assert list(frame.index) == ["01", "02", "03", "21", "22", "23"]
    assert (frame["second_mask"] != "").equals(frame["official_subset"] == "test")
    with Image.open(tmp_path / "p" / frame.loc["01", "second_mask"]) as second:
        assert second.mode == "P" and set(np.unique(np.asarray(second))) == {0, 1}
    with Image.open(tmp_path / "p" / frame.loc["01", "mask"]) as first:
        assert first.mode == "L" and set(np.unique(np.asarray(first))) == {0, 255}


def test_more_than_forty_fundi_have_different_ids(tmp_path):
    draw("drive", tmp_path / "p", Phantom(images=42, height=32, width=32))
    frame = build_index("drive", tmp_path / "p")
    assert frame["sample"].is_unique and len(frame) == 42
    assert frame["official_subset"].value_counts().to_dict() == {"test": 21, "train": 21}


def test_vessels_lie_in_the_field_and_the_second_human_is_close_but_not_the_same(tmp_path):
    root = tmp_path / "p"
    draw("drive", root, Phantom(images=8, height=192, width=256))
    dice = []
    for row, image, mask in pairs("drive", root):
        field = read_mask(root / row["roi"]).array
        assert not (mask & ~field).any()
        assert 0.03 < mask.mean() < 0.16
        inside, vessel = image[..., 1][field & ~mask].mean(), image[..., 1][mask].mean()
        assert vessel < inside, "vessels are darker than what surrounds them"
        if row["second_mask"]:
            second = read_mask(root / row["second_mask"]).array
            dice.append(2 * (mask & second).sum() / (mask.sum() + second.sum()))
    assert 0.65 < np.mean(dice) < 0.9


def test_lesions_are_darker_but_no_threshold_finds_them_all(tmp_path):
    from skimage.filters import threshold_otsu

    root = tmp_path / "p"
    draw("ph2", root, Phantom(images=12, height=96, width=128))
    dice = []
    for _, image, mask in pairs("ph2", root):
        grey = image.mean(axis=2)
        assert grey[mask].mean() < grey[~mask].mean()
        guess = grey < threshold_otsu(grey)
        dice.append(2 * (guess & mask).sum() / (guess.sum() + mask.sum()))
    assert 0.5 < np.mean(dice) < 0.97, "learnable, but not solved by a threshold"
    assert min(dice) < 0.85


def test_ebhi_phantom_has_the_classes_cases_and_masks_of_ebhi(tmp_path):
    root = tmp_path / "p"
    draw("ebhi", root, Phantom(images=20, height=48, width=48))
    frame = build_index("ebhi", root)
    assert frame["stratum"].value_counts().to_dict() == {
        **{"Adenocarcinoma": 6, "Low-grade IN": 4, "Polyp": 4},
        **{"Normal": 2, "High-grade IN": 2, "Serrated adenoma": 2},
    }
    classes = frame.groupby("group")["stratum"].nunique()
    assert classes.max() == 2 and (classes == 1).sum() > 3
    names = frame["image"].str.rsplit("/", n=1).str[-1]
    assert names.duplicated().any(), "file names that occur in two classes"
    assert {name[:4] for name in names} >= {"GTxc", "GTXC"}
    masks = [np.asarray(Image.open(root / path)) for path in frame["mask"]]
    assert {mask.max() for mask in masks} == {253, 255} and all(len(np.unique(mask)) > 10 for mask in masks)


def test_classes_of_the_ebhi_phantom_differ_in_looks(tmp_path):
    root = tmp_path / "p"
    draw("ebhi", root, Phantom(images=60, height=64, width=64))
    darkness: dict[str, list[float]] = {}
    for row, image, mask in pairs("ebhi", root):
        darkness.setdefault(row["stratum"], []).append(image[mask].mean() - image[~mask].mean())
    means = {stratum: np.mean(values) for stratum, values in darkness.items()}
    assert means["Adenocarcinoma"] < means["Low-grade IN"] < means["Polyp"] < means["Normal"]


def test_hrf_phantom_has_the_files_of_hrf(tmp_path):
    root = tmp_path / "p"
    phantoms.draw("hrf", root, SMALL)
    frame = build_index("hrf", root).set_index("sample")
    assert list(frame.index) == ["01_dr", "01_g", "01_h", "02_dr", "02_g", "02_h"]
    for name, row in frame.iterrows():
        assert row["image"].endswith(".JPG" if name.endswith("dr") else ".jpg")
        with Image.open(root / row["roi"]) as roi, Image.open(root / row["mask"]) as mask:
            assert (roi.mode, mask.mode) == ("RGB", "L") and row["roi"].endswith(f"{name}_mask.tif")
            field, vessels = np.asarray(roi)[..., 0] > 127, np.asarray(mask) > 127
        assert 0.3 < field.mean() < 0.9 and not (vessels & ~field).any()


def test_diabetic_eyes_of_the_hrf_phantom_have_lesions(tmp_path):
    from segstudy.data.phantoms.drive import draw_fundus

    eyes = [draw_fundus(np.random.default_rng(5), (96, 96), healthy=healthy) for healthy in (1.0, 0.0)]
    healthy, diabetic = (np.asarray(eye.picture).astype(int) for eye in eyes)
    changed = np.abs(healthy - diabetic).max(axis=2) > 40
    assert 0.001 < changed.mean() < 0.2 and (eyes[0].vessels == eyes[1].vessels).all()


def test_the_config_knows_which_data_sets_can_be_drawn():
    assert set(DRAWN) == set(DRAWERS)
    with pytest.raises(ValueError, match="no phantom can be drawn for the reader 'hrf'"):
        DatasetConfig(reader="hrf", phantom={"images": 8})
