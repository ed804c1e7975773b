"""EBHI-SEG as it lies on disks: names that repeat, masks that lack, grey masks, cases over several classes."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.datasets import DeclaredException, Phantom, Split
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv
from segstudy.data.card import describe
from segstudy.data.checks.image_checks import check_images
from segstudy.data.checks.split_checks import check_split
from segstudy.data.images.read_masks import read_mask
from segstudy.data.index import build_index
from segstudy.data.phantoms.draw import draw
from segstudy.data.readers.ebhi import STRATA
from segstudy.data.readers.registry import labels_of
from segstudy.data.split import make_split
from tests.helpers.raw_data import said

LOW, HIGH, POLYP = "Low-grade IN", "High-grade IN", "Polyp"


def tile(root, stratum, name, mask=True, value=0):
    """Write one tile, and its mask (True), a given one (an array) or none."""
    seed = sum(map(ord, stratum + name)) + value
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    half = np.zeros((16, 16), np.uint8)
    half[:, :8] = 255
    for part, array in (("image", pixels), ("label", half if mask is True else mask)):
        folder = root / stratum / part
        folder.mkdir(parents=True, exist_ok=True)
        if array is not None and array is not False:
            Image.fromarray(array).save(folder / f"{name}.png")


@pytest.fixture
def root(tmp_path):
    """A made-up copy with one tile of each class and the traps of the real one."""
    root = tmp_path / "data" / "EBHI-SEG"
    for stratum in STRATA:
        tile(root, stratum, "GT2015105-1-400-001")
    (root / "readme.md").write_text("EBHI-SEG")
    return root


def test_a_file_name_in_two_classes_is_two_samples_with_their_own_masks(root):
    frame = build_index("ebhi", root).set_index("sample")
    assert len(frame) == 6 and frame["image_sha256"].nunique() == 6
    for name, row in frame.iterrows():
        assert name == f"{row['stratum'].replace(' ', '_')}_GT2015105-1-400-001"
        assert row["image"] == f"{row['stratum']}/image/GT2015105-1-400-001.png"
        assert row["mask"] == f"{row['stratum']}/label/GT2015105-1-400-001.png"
    assert list(frame["stratum"]) == sorted(STRATA)


def test_a_case_is_one_group_over_classes_spellings_and_a_doubled_prefix(root):
    for stratum, name in ((LOW, "GTxc2012839-4-400-001"), (POLYP, "GTXC2012839-2-400-007")):
        tile(root, stratum, name)
    tile(root, LOW, "GT2012149-2-400-001", mask=None)
    tile(root, LOW, "GTGT2012149-2-400-001", mask=None)
    groups = build_index("ebhi", root).groupby("group")["sample"].apply(list)
    assert len(groups["gt2015105"]) == 6, "six classes, one case"
    assert groups["gtxc2012839"] == ["Low-grade_IN_GTxc2012839-4-400-001", "Polyp_GTXC2012839-2-400-007"]
    assert len(groups["gt2012149"]) == 2


def test_cases_are_never_parted_and_a_random_split_is_found_out(tmp_path):
    draw("ebhi", tmp_path / "p", Phantom(images=60, height=32, width=32))
    index = build_index("ebhi", tmp_path / "p")
    describe(index, tmp_path / "p", "ebhi", labels_of("ebhi"), "ebhi", tmp_path / "card")
    samples, thumbnails = read_csv(tmp_path / "card/samples.csv"), np.load(tmp_path / "card/thumbnails.npy")

    def checked(grouped, *exceptions):
        split = make_split(index, Split(grouped=grouped), 0)
        return check_split(index, samples, thumbnails, split, exceptions, dataset="ebhi")

    assert checked(True)["split"]["test_in_training"] == 0
    with pytest.raises(StudyError, match="group_straddles") as caught:
        checked(False)
    assert "grouped: true" in str(caught.value)
    known = DeclaredException(kind="group_straddles", reason="the leak is what is measured")
    record = checked(False, known)
    assert {item["kind"] for item in record["accepted"]} == {"group_straddles"}
    assert record["split"]["test_in_training"] >= 6 and record["split"]["subsets"]["test"] == 12


def test_images_without_mask_are_said_and_kept_out_of_the_split(root):
    for name in ("GT2012149-2-400-001", "GTGT2012149-2-400-001"):
        tile(root, LOW, name, mask=None)
    shutil.copy(root / LOW / "image" / "GT2012149-2-400-001.png", root / LOW / "image" / "GTGT2012149-2-400-001.png")
    frame = build_index("ebhi", root)
    bare = frame[frame["mask"] == ""]
    assert len(bare) == 2 and bare["image_sha256"].nunique() == 1
    assert said(frame, "no mask for 2 of 3", "GT2012149-2-400-001")
    split = make_split(frame, Split(grouped=False), 0).set_index("sample")
    assert set(split.loc[bare["sample"], "subset"]) == {"unlabelled"}


@pytest.mark.parametrize("value", [253, 255])
def test_constant_masks_are_all_foreground_and_a_finding(root, tmp_path, value):
    tile(root, POLYP, "GT1-1-400-001", mask=np.full((16, 16), value, np.uint8))
    index = build_index("ebhi", root)
    describe(index, root, "ebhi", labels_of("ebhi"), "ebhi", tmp_path / "card")
    samples = read_csv(tmp_path / "card/samples.csv")
    row = samples.set_index("sample").loc["Polyp_GT1-1-400-001"]
    assert row["foreground"] == 1 and row["mask_values"] == 1 and row["problem"] == ""
    with pytest.raises(StudyError, match="Polyp_GT1-1-400-001: the mask is all foreground"):
        check_images(samples, index, labels=labels_of("ebhi"))
    known = DeclaredException(kind="mask_constant", reason="tiles that lie wholly inside a tumour")
    assert check_images(samples, index, [known], labels=labels_of("ebhi"))["accepted"][0]["subjects"] == [
        "Polyp_GT1-1-400-001"
    ]


def test_grey_masks_are_cut_at_half(root):
    grey = np.repeat(np.array([0, 9, 127, 128, 200, 253, 255, 60], np.uint8), 2)[None].repeat(16, axis=0)
    tile(root, POLYP, "GT2-1-400-001", mask=grey)
    frame = build_index("ebhi", root).set_index("sample")
    found = read_mask(root / frame.loc["Polyp_GT2-1-400-001", "mask"])
    np.testing.assert_array_equal(found.array, grey > 127)


@pytest.mark.parametrize("level", [".", "EBHI-SEG", "two/EBHI-SEG"])
def test_root_at_each_level(root, tmp_path, level):
    expected = build_index("ebhi", root)
    moved = tmp_path / "moved" / level
    shutil.copytree(root, moved)
    frame = build_index("ebhi", tmp_path / "moved")
    pd.testing.assert_frame_equal(
        frame[["sample", "group", "stratum", "mask_sha256"]], expected[["sample", "group", "stratum", "mask_sha256"]]
    )


def test_spellings_of_classes_and_folders(root):
    expected = build_index("ebhi", root)
    (root / LOW).rename(root / "Low_grade_IN")
    (root / HIGH).rename(root / "high-gradeIN")
    (root / POLYP / "image").rename(root / POLYP / "Images")
    (root / POLYP / "label").rename(root / POLYP / "labels")
    frame = build_index("ebhi", root)
    pd.testing.assert_frame_equal(frame[["sample", "stratum"]], expected[["sample", "stratum"]])
    assert frame.attrs["repairs"] == []


def test_what_is_left_out_is_said(root):
    shutil.rmtree(root / "Normal")
    tile(root, "Artefact", "GT3-1-400-001")
    tile(root, POLYP, "GT4-1-400-001")
    (root / POLYP / "image" / "GT4-1-400-001.png").unlink()
    frame = build_index("ebhi", root)
    assert len(frame) == 5
    for words in (("no tiles of class Normal",), ("none of the six", "Artefact"), ("without an image", "GT4")):
        assert said(frame, *words)


def test_one_tile_in_two_formats_is_used_once(root):
    picture = root / POLYP / "image" / "GT2015105-1-400-001.png"
    with Image.open(picture) as image:
        image.save(picture.with_suffix(".jpg"))
    frame = build_index("ebhi", root).set_index("sample")
    assert frame.loc["Polyp_GT2015105-1-400-001", "image"].endswith(".png") and said(frame, "is used of")


def test_copies_and_classes_that_are_there_twice_are_errors(root):
    shutil.copytree(root / POLYP, root / "polyp_")
    with pytest.raises(StudyError, match="Polyp is there twice"):
        build_index("ebhi", root)
    shutil.copytree(root, root.parent / "copy")
    with pytest.raises(StudyError, match="2 copies of EBHI-SEG"):
        build_index("ebhi", root.parent)
