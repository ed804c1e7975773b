"""PhC as it is found on disk: halves or not, frames that stay together."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.datasets import Phantom, Split
from segstudy.core.errors import StudyError
from segstudy.data.images.read import read_image
from segstudy.data.images.read_masks import read_mask
from segstudy.data.index import build_index
from segstudy.data.phantoms.draw import draw
from segstudy.data.readers.phc import BLOCK, GAP, blocks
from segstudy.data.split import make_split
from tests.helpers.raw_data import said


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("phc")
    draw("phc", root, Phantom(images=16, height=32, width=40, seed=1))
    return root


@pytest.fixture
def phc(original, tmp_path):
    return shutil.copytree(original / "phc_data", tmp_path / "data" / "phc_data")


def content(frame):
    return frame[["image_sha256", "mask_sha256", "official_subset"]]


def frames(folder, numbers, labelled=True):
    """Write images of these frame numbers, each of one grey value of its own."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.new("L", (8, 6), number % 256).save(folder / "images" / f"img_{number:05d}.jpg")
        if labelled:
            Image.new("L", (8, 6), 255).save(folder / "labels" / f"label_{number:05d}.png")


@pytest.mark.parametrize("level", [".", "phc_data"])
@pytest.mark.parametrize("halves", [("train", "test"), ("Training", "testing")])
def test_levels_and_names_of_the_halves(phc, level, halves):
    expected = build_index("phc", phc)
    assert expected["official_subset"].value_counts().to_dict() == {"train": 12, "test": 4}
    for old, new in zip(("train", "test"), halves, strict=True):
        (phc / old).rename(phc / new)
    found = build_index("phc", phc.parent / level)
    pd.testing.assert_frame_equal(content(found), content(expected))


def test_image_and_label_of_one_number_belong_together(phc):
    for row in build_index("phc", phc).to_dict("records"):
        number = row["sample"].split("_")[1]
        assert row["image"].endswith(f"images/img_{number}.jpg") and row["mask"].endswith(f"labels/label_{number}.png")
        assert read_mask(phc / row["mask"]).array.shape == read_image(phc / row["image"]).shape[:2]


def test_without_halves_nothing_is_official(tmp_path):
    frames(tmp_path, range(5))
    frame = build_index("phc", tmp_path)
    assert list(frame["sample"]) == [f"{n:05d}" for n in range(5)] and set(frame["official_subset"]) == {""}
    assert frame.attrs["repairs"] == []


def test_both_halves_may_count_from_zero(tmp_path):
    for half in ("train", "test"):
        frames(tmp_path / half, range(3))
    frame = build_index("phc", tmp_path)
    assert list(frame["sample"]) == [*(f"test_{n:05d}" for n in range(3)), *(f"train_{n:05d}" for n in range(3))]
    assert set(frame["group"]) == {"train_00000-00002", "test_00000-00002"}


def test_blocks_are_neighbours_and_a_recording_ends_at_a_jump():
    assert blocks([3, 1, 2]) == [[1, 2, 3]]
    assert blocks([1, 2, 2 + GAP, 3 + 2 * GAP]) == [[1, 2, 2 + GAP], [3 + 2 * GAP]]
    halves = blocks(range(BLOCK + 2))
    assert [len(block) for block in halves] == [BLOCK // 2 + 1] * 2, "equal parts, no block of two frames"
    for count in (1, BLOCK, 5 * BLOCK, 7 * BLOCK + 3):
        found = blocks(range(100, 100 + count))
        assert [number for block in found for number in block] == list(range(100, 100 + count))
        sizes = [len(block) for block in found]
        assert max(sizes) <= BLOCK and max(sizes) - min(sizes) <= 1 and len(sizes) == -(-count // BLOCK)


def test_a_split_parts_few_neighbouring_frames(tmp_path):
    frames(tmp_path, range(400))
    frame = build_index("phc", tmp_path)
    subset = make_split(frame, Split(), 0)["subset"].to_numpy()
    parted = np.mean(subset[1:] != subset[:-1])
    assert 0 < parted <= 2 / BLOCK
    at_random = np.random.default_rng(0).permutation(subset)
    assert np.mean(at_random[1:] != at_random[:-1]) > 5 * parted


def test_an_official_test_set_out_of_the_midst_of_a_recording_parts_a_group(tmp_path):
    frames(tmp_path / "train", [0, 1, 2, 6, 7, 8])
    frames(tmp_path / "test", [3, 4, 5])
    frame = build_index("phc", tmp_path)
    assert set(frame["group"]) == {"00000-00008"} and set(frame["official_subset"]) == {"train", "test"}


def test_what_is_missing_or_strange_is_said(phc):
    (phc / "train" / "labels" / "label_00000.png").unlink()
    (phc / "train" / "images" / "img_01000.jpg").unlink()
    Image.new("L", (8, 6)).save(phc / "test" / "images" / "overview.png")
    (phc / "test" / "images" / "Thumbs.db").write_text("x")
    frame = build_index("phc", phc).set_index("sample")
    assert frame.loc["train_00000", "mask"] == "" and "train_01000" not in frame.index
    assert said(frame, "no label for 1 of 11 images", "img_00000.jpg")
    assert said(frame, "label without an image", "label_01000.png")
    assert said(frame, "left out", "test/images/overview.png") and len(frame.attrs["repairs"]) == 3


def test_a_test_half_without_labels_is_unlabelled(phc):
    shutil.rmtree(phc / "test" / "labels")
    frame = build_index("phc", phc)
    assert (frame.loc[frame["official_subset"] == "test", "mask"] == "").all() and said(frame, "no label for 4 of 4")


def test_one_number_in_two_formats_or_under_two_names(phc):
    images = phc / "train" / "images"
    with Image.open(images / "img_00000.jpg") as image:
        image.save(images / "img_00000.png")
    frame = build_index("phc", phc).set_index("sample")
    assert frame.loc["train_00000", "image"].endswith(".png") and said(frame, "img_00000.png is used of")
    shutil.copy(images / "img_00000.jpg", images / "img_0.jpg")
    with pytest.raises(StudyError, match="number 0 names several files"):
        build_index("phc", phc)


def test_two_copies_ask_which(phc):
    shutil.copytree(phc, phc.parent / "copy")
    with pytest.raises(StudyError, match="2 copies of PhC"):
        build_index("phc", phc.parent)


def test_the_phantom_has_the_encodings_and_the_neighbours_of_phc(phc):
    frame = build_index("phc", phc)
    assert frame["group"].nunique() == 8 and frame.groupby("group")["official_subset"].nunique().max() == 1
    for row in frame.to_dict("records"):
        with Image.open(phc / row["image"]) as image, Image.open(phc / row["mask"]) as mask:
            assert (image.format, image.mode) == ("JPEG", "L") and (mask.format, mask.mode) == ("PNG", "L")
            assert set(np.unique(np.asarray(mask))) == {0, 255}
    masks = {row["sample"]: read_mask(phc / row["mask"]).array for row in frame.to_dict("records")}
    overlap = [
        (masks[f"train_0{r}000"] & masks[f"train_0{s}00{t}"]).sum() / masks[f"train_0{r}000"].sum()
        for r, s, t in [(0, 0, 1), (1, 1, 1), (2, 2, 1)]
    ]
    assert min(overlap) > 0.8
