"""CMP facades: the reader on every layout, and the drawn stand-in."""

import os
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.datasets import Phantom
from segstudy.core.errors import StudyError
from segstudy.data.checks.near_duplicates import near_duplicates
from segstudy.data.images.label_map import known_ids, read_ids
from segstudy.data.images.read import read_image
from segstudy.data.images.thumbnails import thumbnail
from segstudy.data.index import build_index
from segstudy.data.readers.cmp import CLASSES, COLOURS
from segstudy.data.readers.registry import labels_of, reader_module
from tests.helpers.phantoms import draw
from tests.helpers.raw_data import contents

LABELS = labels_of("cmp")
OPTIONS = Phantom(images=8, height=96, width=112, seed=2)
BASE, EXTENDED = "CMP_facade_DB_base/base", "CMP_facade_DB_extended/extended"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("cmp") / "drawn"
    draw("cmp", root, OPTIONS)
    return root


@pytest.fixture
def root(original, tmp_path):
    return shutil.copytree(original / "CMP_facade_DB", tmp_path / "facades")


def test_twelve_classes_of_which_the_first_is_background():
    assert LABELS.names == ("background", *CLASSES) and LABELS.values == tuple((v,) for v in range(1, 13))
    assert LABELS.colours == COLOURS and LABELS.several


# --- the reader ---


def test_jpeg_is_the_photograph_and_png_the_labels_of_one_folder(root):
    frame = build_index("cmp", root)
    assert list(frame["sample"]) == [f"cmp_b{n:04d}" for n in range(1, 6)] + [f"cmp_x{n:04d}" for n in range(1, 4)]
    for row in frame.to_dict("records"):
        assert row["image"].endswith(f"{row['sample']}.jpg") and row["mask"] == row["image"].replace(".jpg", ".png")
    assert list(frame["stratum"]) == ["base"] * 5 + ["extended"] * 3
    assert set(frame["official_subset"]) == set(frame["group"]) == set(frame["roi"]) == {""}
    assert frame.attrs["repairs"] == []


@pytest.mark.parametrize(
    ("level", "samples", "strata"),
    [
        ("..", 8, {"base", "extended"}),
        (".", 8, {"base", "extended"}),
        ("CMP_facade_DB_base", 5, {""}),
        (BASE, 5, {""}),
        (EXTENDED, 3, {""}),
    ],
)
def test_root_at_every_level(root, level, samples, strata):
    frame = build_index("cmp", root / level)
    assert len(frame) == samples and set(frame["stratum"]) == strata, "one part alone is no stratum"
    assert all((root / level / path).is_file() for path in [*frame["image"], *frame["mask"]])


def test_both_parts_unpacked_into_one_folder_in_odd_case(root, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in (root / BASE, root / EXTENDED):
        for file in path.iterdir():
            shutil.copy(file, flat / (file.name.upper() if file.suffix == ".jpg" else file.name))
    (flat / "._cmp_b0001.jpg").write_text("x")
    (flat / "cmp_notes.jpg").write_text("x")
    frame = build_index("cmp", flat)
    columns = ["sample", "stratum", "image_sha256"]
    pd.testing.assert_frame_equal(frame[columns], build_index("cmp", root)[columns])


def test_missing_halves_of_a_pair_are_said_or_left_empty(root):
    (root / BASE / "cmp_b0002.png").unlink()
    (root / BASE / "cmp_b0003.jpg").unlink()
    (root / BASE / "cmp_b0004.xml").unlink()
    frame = build_index("cmp", root).set_index("sample")
    assert frame.loc["cmp_b0002", "mask"] == "" and frame.loc["cmp_b0004", "mask"] != ""
    assert "cmp_b0003" not in frame.index
    assert frame.attrs["repairs"] == [f"left out, labels without a photograph (.jpg) beside them: {BASE}/cmp_b0003.png"]


def test_the_same_facade_twice_below_the_root_is_an_error(root):
    shutil.copytree(root / BASE, root / "copy")
    with pytest.raises(StudyError, match="share a sample name, the first being 'cmp_b0001'"):
        build_index("cmp", root)


def test_palette_indices_become_ids_and_converted_copies_are_refused(root, tmp_path):
    path = root / BASE / "cmp_b0001.png"
    with Image.open(path) as stored:
        assert stored.mode == "P"
        indices = np.asarray(stored)
        assert indices.min() == 1 and indices.max() <= 12
        np.testing.assert_array_equal(known_ids(path, LABELS), indices - 1)
        stored.convert("L").save(tmp_path / "grey.png")
        stored.convert("RGB").save(tmp_path / "rgb.png")
    grey = read_ids(tmp_path / "grey.png", LABELS)
    assert len(grey.unknown) == len(np.unique(indices)), "converting gives luminances, not one of which is a class"
    with pytest.raises(StudyError, match="holds no class values"):
        read_ids(tmp_path / "rgb.png", LABELS)


def test_value_0_is_no_class(root, tmp_path):
    Image.fromarray(np.array([[0, 1, 13]], np.uint8)).save(tmp_path / "l.png")
    assert read_ids(tmp_path / "l.png", LABELS).unknown == (0, 13)


def test_other_data_is_not_recognised(root, tmp_path):
    draw("drive", tmp_path / "drive", Phantom(images=4, height=32, width=32))
    assert reader_module("cmp").recognises(root) and not reader_module("cmp").recognises(tmp_path / "drive")
    for other in ("drive", "ph2"):
        assert not reader_module(other).recognises(root)
    with pytest.raises(StudyError, match="this looks like DRIVE"):
        build_index("cmp", tmp_path / "drive")


# --- the phantom ---


def test_files_are_encoded_as_the_real_ones(root):
    with Image.open(root / BASE / "cmp_b0001.png") as labels:
        assert labels.getpalette()[: 3 * 13] == [0, 0, 0, *np.ravel(COLOURS).tolist()]
    with Image.open(root / BASE / "cmp_b0001.jpg") as photograph:
        assert photograph.format == "JPEG" and photograph.quantization[0][:6] == [8, 6, 5, 8, 12, 20]
    text = (root / BASE / "cmp_b0001.xml").read_text()
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(text)
    house = ElementTree.fromstring(f"<all>{text}</all>")[0]
    assert house.find("labelname").text == "facade" and house.find("label").text == "2"


def test_sizes_differ_and_stay_below_the_configured_one(root):
    frame = build_index("cmp", root)
    assert len(set(zip(frame["width"], frame["height"], strict=True))) > 5
    assert frame["width"].between(72, 112).all() and frame["height"].between(62, 96).all()


def test_every_class_occurs_in_few_facades_with_about_its_real_share(tmp_path):
    def shares(images, side):
        draw("cmp", tmp_path / "p", Phantom(images=images, height=side, width=side, seed=5))
        frame = build_index("cmp", tmp_path / "p")
        ids = [known_ids(tmp_path / "p" / path, LABELS) for path in frame["mask"]]
        return np.mean([np.bincount(array.ravel(), minlength=12) / array.size for array in ids], axis=0)

    assert (shares(4, 96) > 0).all()
    real = np.array([15.4, 38.5, 13.4, 1.3, 4.0, 2.8, 4.0, 1.5, 2.1, 11.5, 2.4, 3.3]) / 100
    assert np.abs(shares(40, 96) - real).max() < 0.05


def test_classes_look_different_but_colour_alone_does_not_tell_them(original):
    """Nearest class mean of the colour: better than the largest class, far from solved."""
    pixels, truth = [], []
    frame = build_index("cmp", original)
    for row in frame.to_dict("records"):
        pixels.append(read_image(original / row["image"]).reshape(-1, 3).astype(float))
        truth.append(known_ids(original / row["mask"], LABELS).ravel())
    colour, ids = np.concatenate(pixels), np.concatenate(truth)
    means = np.stack([colour[ids == k].mean(axis=0) for k in range(12)])
    guess = ((colour[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    recalls = [np.mean(guess[ids == k] == k) for k in range(12)]
    assert 1.5 / 12 < np.mean(recalls) < 0.6


def test_no_two_facades_are_near_duplicates(tmp_path):
    draw("cmp", tmp_path, Phantom(images=40, height=96, width=112))
    images = [read_image(tmp_path / path) for path in build_index("cmp", tmp_path)["image"]]
    assert near_duplicates(np.stack([thumbnail(image) for image in images]), ["train", "test"] * 20) == []


def test_same_seed_same_bytes_even_in_another_process(original, tmp_path):
    code = (
        "import sys; from segstudy.config.datasets import Phantom; from tests.helpers.phantoms import draw; "
        "draw('cmp', sys.argv[1], Phantom(images=8, height=96, width=112, seed=2))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "99"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "again")], check=True, env=environment)
    assert contents(tmp_path / "again") == contents(original)
    draw("cmp", tmp_path / "other", OPTIONS.model_copy(update={"seed": 4}))
    assert contents(tmp_path / "other") != contents(original)
