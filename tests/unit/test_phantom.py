"""Drawn stand-ins: official layout, same bytes for the same seed, a task worth learning."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from segstudy.config.datasets import Phantom
from segstudy.datasets import build_index
from segstudy.datasets.phantom import draw
from segstudy.errors import StudyError
from segstudy.images import read_image, read_mask

SMALL = Phantom(images=6, height=64, width=80, seed=3)


@pytest.fixture(scope="module", params=["ph2", "drive"])
def drawn(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param) / "drawn"
    draw(request.param, root, SMALL)
    return request.param, root


def pairs(reader, root):
    for row in build_index(reader, root).to_dict("records"):
        yield row, read_image(root / row["image"]), read_mask(root / row["mask"]).array


def contents(root):
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.name != "phantom.json")
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


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
        "import sys; from segstudy.config.datasets import Phantom; from segstudy.datasets.phantom import draw; "
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
        draw("hrf", tmp_path / "x", SMALL)
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
