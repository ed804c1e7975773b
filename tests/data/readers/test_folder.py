"""A folder of one's own: how pairs are told, what a table adds, and what is said when they do not fit."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segstudy.config.datasets import Phantom
from segstudy.config.layout import Layout
from segstudy.config.load import load_study
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv
from segstudy.data.card import describe
from segstudy.data.checks.image_checks import check_images
from segstudy.data.images.read_masks import read_mask
from segstudy.data.index import build_index, repairs
from segstudy.data.phantoms.draw import draw
from segstudy.data.phantoms.folder import PLATES
from segstudy.data.readers.registry import labels_of
from segstudy.data.store import build_store, open_store
from tests.helpers.raw_data import said

SHAPE = (16, 16)  # what the store need not pad


def picture(path, value=90, shape=SHAPE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


def mask(path, columns=4, shape=SHAPE, value=255):
    """Write a mask whose first columns are foreground."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros(shape, np.uint8)
    array[:, :columns] = value
    Image.fromarray(array).save(path)


def pairs(root, names=("1", "2", "10"), images="images", masks="masks", suffix=""):
    for value, name in enumerate(names):
        picture(root / images / f"{name}.png", 60 + value)
        mask(root / masks / f"{name}{suffix}.png")


def table(root, *lines):
    (root / "samples.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def listed(root, **layout):
    return build_index("folder", root, layout=Layout(**layout)).set_index("sample")


def refused(root, **layout):
    with pytest.raises(StudyError) as caught:
        listed(root, **layout)
    return str(caught.value)


# --- what names tell ---


@pytest.mark.parametrize("images", ["images", "Imgs", "image"])
@pytest.mark.parametrize("masks", ["masks", "labels", "Ground_Truth", "mask"])
@pytest.mark.parametrize("suffix", ["", "_mask", "_gt", "_by_hand", "-1"])
def test_usual_folders_and_names_pair_by_themselves(tmp_path, images, masks, suffix):
    pairs(tmp_path, images=images, masks=masks, suffix=suffix)
    frame = listed(tmp_path)
    assert list(frame.index) == ["1", "2", "10"], "10 comes after 2"
    assert list(frame["mask"]) == [f"{masks}/{name}{suffix}.png" for name in frame.index]
    assert (frame["group"] == "").all() and (frame["official_subset"] == "").all() and frame.attrs["repairs"] == []


def test_folders_and_suffix_of_the_config(tmp_path):
    pairs(tmp_path, ("a", "b"), images="raw/tiles", masks="drawn", suffix="-A")
    mask(tmp_path / "drawn" / "a-B.png", 9)
    frame = listed(tmp_path, images="raw/tiles", masks="drawn", mask_suffix="-A")
    assert list(frame["mask"]) == ["drawn/a-A.png", "drawn/b-A.png"] and said(frame, "left out", "drawn/a-B.png")
    layout = Layout(images="raw/tiles", masks="drawn", mask_suffix="-A")
    assert repairs(frame.reset_index(), "folder", tmp_path, layout) == frame.attrs["repairs"]


def test_images_and_masks_in_one_folder(tmp_path):
    pairs(tmp_path, ("a", "b"), images="all", masks="all", suffix="_mask")
    frame = listed(tmp_path, images="all", masks="all", mask_suffix="_mask")
    assert list(frame["image"]) == ["all/a.png", "all/b.png"]
    assert list(frame["mask"]) == ["all/a_mask.png", "all/b_mask.png"] and frame.attrs["repairs"] == []


def test_jpeg_images_and_lossless_masks_of_one_name_in_one_folder(tmp_path):
    for name in ("a", "b"):
        picture(tmp_path / "base" / f"{name}.jpg")
        mask(tmp_path / "base" / f"{name}.png")
    frame = listed(tmp_path, images="base", masks="base")
    assert list(frame["image"]) == ["base/a.jpg", "base/b.jpg"] and list(frame["mask"]) == ["base/a.png", "base/b.png"]
    assert frame.attrs["repairs"] == []


def test_a_second_folder_that_may_hold_the_true_masks_is_said(tmp_path):
    pairs(tmp_path, ("a", "b"), masks="mask")
    mask(tmp_path / "1st_manual" / "a.png")
    assert said(listed(tmp_path), "masks are those in mask", "1st_manual")


def test_any_format_and_double_extensions(tmp_path):
    for name in ("im0001.ppm", "im0002.tif", "im0003.jpg"):
        picture(tmp_path / "images" / name)
    mask(tmp_path / "labels" / "im0001.ah.ppm")
    mask(tmp_path / "labels" / "im0002_mask.ah.png")
    mask(tmp_path / "labels" / "im0003.bmp")
    (tmp_path / "labels" / "Thumbs.db").write_text("x")
    frame = listed(tmp_path)
    assert list(frame["mask"]) == ["labels/im0001.ah.ppm", "labels/im0002_mask.ah.png", "labels/im0003.bmp"]


def test_a_name_that_continues_another_is_a_name_of_its_own(tmp_path):
    pairs(tmp_path, ("a", "a_1", "a_1_2"))
    frame = listed(tmp_path)
    assert dict(frame["mask"]) == {name: f"masks/{name}.png" for name in ("a", "a_1", "a_1_2")}


def test_a_lossy_copy_of_a_mask_does_not_count(tmp_path):
    pairs(tmp_path, ("a",))
    mask(tmp_path / "masks" / "a.jpg")
    frame = listed(tmp_path)
    assert frame.loc["a", "mask"] == "masks/a.png" and said(frame, "masks/a.png is used of", "a.jpg")


def test_regions_that_count(tmp_path):
    pairs(tmp_path, ("a", "b"))
    mask(tmp_path / "rois" / "a_roi.png", 10)
    frame = listed(tmp_path)
    assert dict(frame["roi"]) == {"a": "rois/a_roi.png", "b": ""}


@pytest.mark.parametrize("place", ["objects", "folders"])
def test_one_mask_file_an_object(tmp_path, place):
    pairs(tmp_path, ("a", "b"))
    (tmp_path / "masks" / "a.png").unlink()
    names = {"objects": ("a_1.png", "a_2.png"), "folders": ("a/nucleus7.png", "a/x.png")}[place]
    for name, columns in zip(names, (2, 5), strict=True):
        mask(tmp_path / "masks" / name, columns)
    frame = listed(tmp_path)
    expected = {"objects": "masks/a_*", "folders": "masks/a/*"}[place]
    assert dict(frame["mask"]) == {"a": expected, "b": "masks/b.png"}
    assert said(frame, "one mask file an object", "a") and len(frame.attrs["repairs"]) == 1
    assert read_mask(tmp_path / expected).array[0].sum() == 5
    mask(tmp_path / "masks" / names[1], 7)
    changed = listed(tmp_path)
    assert list(frame["mask_sha256"] != changed["mask_sha256"]) == [True, False]
    labels = labels_of("folder")
    build_store(frame.reset_index(), tmp_path, tmp_path / "store", "native", "grey", "folder", labels, 1)
    assert open_store(tmp_path / "store").masks[0].sum() == 16 * 7


def test_halves_are_official_subsets_and_may_use_the_same_names(tmp_path):
    for half in ("train", "valid", "test"):
        pairs(tmp_path / half, ("1", "2"))
    shutil.rmtree(tmp_path / "test" / "masks")
    (tmp_path / "test" / "images" / "1.png").rename(tmp_path / "test" / "images" / "1.tif")
    frame = listed(tmp_path)
    assert list(frame.index) == ["test_1", "test_2", "train_1", "train_2", "val_1", "val_2"]
    assert list(frame["official_subset"]) == ["test"] * 2 + ["train"] * 2 + ["val"] * 2
    assert list(frame["mask"] == "") == [True] * 2 + [False] * 4 and frame.loc["test_1", "image"] == "test/images/1.tif"


def test_an_archive_in_a_folder_of_its_own(tmp_path):
    pairs(tmp_path / "my data")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "notes").mkdir()
    table(tmp_path / "my data", "sample,group", "1,x", "2,x", "10,y")
    frame = listed(tmp_path)
    assert list(frame["image"]) == [f"my data/images/{name}.png" for name in ("1", "2", "10")]
    assert list(frame["group"]) == ["x", "x", "y"]


def test_names_become_fit_for_file_names(tmp_path):
    pairs(tmp_path, ("Bild 1 (groß)", "_2"))
    frame = listed(tmp_path)
    assert list(frame.index) == ["Bild_1__gross_", "x_2"] and said(frame, "2 names changed")
    assert list(frame["title"]) == ["Bild 1 (groß)", "_2"]
    assert frame.loc["x_2", "mask"] == "masks/_2.png"


def test_both_eyes_of_a_child_are_one_group(tmp_path):
    names = [f"Image_{child:02d}{side}" for child in (1, 2) for side in "LR"]
    pairs(tmp_path, names)
    assert list(listed(tmp_path, group_pattern=r"Image_(\d+)[LR]")["group"]) == ["01", "01", "02", "02"]
    assert list(listed(tmp_path, group_pattern=r"^[^LR]+")["group"]) == ["Image_01"] * 2 + ["Image_02"] * 2
    text = refused(tmp_path, group_pattern="_(01)")
    assert "finds no group in 2 of 4 names: Image_02L, Image_02R" in text and "column 'group'" in text


# --- what a table adds ---


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_names_groups_strata_and_subsets(tmp_path, delimiter):
    pairs(tmp_path, ("1", "2", "10"))
    lines = ["sample,group,stratum,subset", "10,p1,ill,test", "1,p2,,train", "2.png,p2,well,"]
    table(tmp_path, *("\ufeff" * (i == 0) + line.replace(",", delimiter) for i, line in enumerate(lines)))
    frame = listed(tmp_path)
    assert list(frame.index) == ["1", "2.png", "10"]
    assert list(frame["group"]) == ["p2", "p2", "p1"] and list(frame["stratum"]) == ["", "well", "ill"]
    assert list(frame["official_subset"]) == ["train", "", "test"]
    assert (frame["mask"] != "").all()


def test_a_table_names_the_files_and_wins_over_names(tmp_path):
    picture(tmp_path / "raw" / "one.tif")
    picture(tmp_path / "raw" / "two.tif", 91)
    mask(tmp_path / "drawn" / "A.png", 3)
    mask(tmp_path / "drawn" / "B_1.png", 2)
    mask(tmp_path / "drawn" / "B_2.png", 6)
    mask(tmp_path / "drawn" / "frame.png", 9)
    table(
        tmp_path,
        "image,sample,mask,roi,group",
        "raw/one.tif,first,drawn/A.png,drawn/frame.png,x",
        "raw/two.tif,,drawn/B_*,,",
    )
    frame = listed(tmp_path)
    assert list(frame.index) == ["first", "two"] and list(frame["mask"]) == ["drawn/A.png", "drawn/B_*"]
    assert list(frame["roi"]) == ["drawn/frame.png", ""] and list(frame["group"]) == ["x", ""]


def test_a_table_speaks_of_files_within_the_usual_folders(tmp_path):
    pairs(tmp_path, ("1", "2"))
    mask(tmp_path / "masks" / "better.png", 8)
    table(tmp_path, "image,mask", "1.png,better.png", "images/2.png,")
    frame = listed(tmp_path)
    assert dict(frame["mask"]) == {"1": "masks/better.png", "2": "masks/2.png"}


def test_images_that_a_table_leaves_out_are_left_out_and_said(tmp_path):
    pairs(tmp_path)
    table(tmp_path, "sample,group", "1,a", "", "10,b")
    frame = listed(tmp_path)
    assert list(frame.index) == ["1", "10"] and said(frame, "samples.csv does not name 1 of 3", "images/2.png")


def test_a_group_of_the_table_wins_over_the_pattern(tmp_path):
    pairs(tmp_path, ("a1", "b1", "c2"))
    table(tmp_path, "sample,group", "a1,", "b1,9", "c2,")
    assert list(listed(tmp_path, group_pattern=r"\d")["group"]) == ["1", "9", "2"]


@pytest.mark.parametrize(
    ("lines", "row", "column", "words"),
    [
        (["sample,group", "1,a", "20,b"], 3, "sample", "no image is called '20'. Did you mean"),
        (["image,group", "images/1.png,a", "images/02.png,b"], 3, "image", "Did you mean 'images/2.png'"),
        (["sample,mask", "1,masks/1.pgn"], 2, "mask", "no file 'masks/1.pgn'. Did you mean 'masks/1.png'"),
        (["sample,mask", "1,masks/7_*"], 2, "mask", "no file 'masks/7_*'"),
        (["sample,mask", "1,/etc/hosts"], 2, "mask", "no path below the root"),
        (["sample,subset", "1,train", "2,tset"], 3, "subset", "'tset' is no subset. Did you mean 'test'"),
        (["sample,group", "1,a", "2,b", "1,c"], 4, "sample", "row 2 names this image too"),
        (["sample,group", "1,a", ",b"], 3, "sample", "says which image"),
        (["sample,group", "1,a,b"], 2, "group", "3 cells, but the header has 2"),
    ],
)
def test_what_is_wrong_in_a_table_is_named_by_row_and_column(tmp_path, lines, row, column, words):
    pairs(tmp_path)
    table(tmp_path, *lines)
    text = refused(tmp_path)
    assert words in text and f"samples.csv, row {row}, column {column}" in text


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("sample,grup", "Did you mean 'group'"),
        ("group,stratum", "neither a column 'sample' nor a column 'image'"),
        ("sample,group,group", "the column 'group' twice"),
        ("sample,group", "the table has no rows"),
    ],
)
def test_headers_that_mean_nothing(tmp_path, header, words):
    pairs(tmp_path)
    table(tmp_path, header)
    assert words in refused(tmp_path)


def test_a_name_in_two_halves_needs_its_path(tmp_path):
    for half in ("train", "test"):
        pairs(tmp_path / half, ("1", "2"))
    table(tmp_path, "sample,group", "1,a")
    assert "several images are called '1'" in refused(tmp_path)
    table(tmp_path, "image,group", "train/images/1.png,a", "test/images/2.png,b")
    frame = listed(tmp_path)
    assert dict(frame["official_subset"]) == {"1": "train", "2": "test"}


def test_a_table_of_another_name(tmp_path):
    pairs(tmp_path, ("1", "2"))
    (tmp_path / "patients.csv").write_text("sample,group\n1,a\n2,a\n")
    assert list(listed(tmp_path, table="patients.csv")["group"]) == ["a", "a"]
    assert "Did you mean 'patients.csv'" in refused(tmp_path, table="patient.csv")


# --- messages ---


def test_no_folder_of_masks_or_images(tmp_path):
    pairs(tmp_path, masks="drawn")
    text = refused(tmp_path)
    assert "there is no folder of masks" in text and "layout.masks" in text and "drawn" in text
    assert "no folder 'drwan'. Did you mean 'drawn'" in refused(tmp_path, masks="drwan")
    assert "there is no folder of images" in refused(tmp_path / "drawn")
    assert "does not exist" in refused(tmp_path / "nowhere")


def test_an_empty_folder_of_images(tmp_path):
    pairs(tmp_path, ("a",))
    (tmp_path / "images" / "a.png").unlink()
    assert "there are no images in this folder" in refused(tmp_path)


def test_nothing_pairs(tmp_path):
    for number in range(5):
        picture(tmp_path / "images" / f"scan{number}.png", number)
        mask(tmp_path / "masks" / f"drawing{number}.png")
    text = refused(tmp_path)
    assert "no mask is called like an image: images are scan0.png, scan1.png" in text and "drawing0.png" in text
    assert "layout.mask_suffix" in text and "samples.csv" in text


@pytest.mark.parametrize("other", ["a_mask.png", "a.bmp", "a_1.png", "a/1.png", "a.ah.ppm"])
def test_ambiguous_pairs(tmp_path, other):
    pairs(tmp_path, ("a", "b"))
    mask(tmp_path / "masks" / other, 9)
    text = refused(tmp_path)
    assert "image 'a' has several masks" in text and "masks/a.png" in text and other.split("/")[0] in text
    assert "mask_suffix" in text and "column 'mask'" in text


@pytest.mark.parametrize("other", ["a_mask.png", "a_1.png", "a/1.png"])
def test_the_suffix_told_decides(tmp_path, other):
    pairs(tmp_path, ("a", "b"))
    mask(tmp_path / "masks" / other, 9)
    assert dict(listed(tmp_path, mask_suffix="")["mask"]) == {"a": "masks/a.png", "b": "masks/b.png"}


def test_objects_of_images_whose_names_continue_each_other(tmp_path):
    for name in ("a", "a_b"):
        picture(tmp_path / "images" / f"{name}.png")
        for number in (1, 2):
            mask(tmp_path / "masks" / f"{name}_{number}.png")
    assert "image 'a' has several masks" in refused(tmp_path)


def test_two_images_of_one_name(tmp_path):
    pairs(tmp_path, ("a", "b"))
    picture(tmp_path / "images" / "a.tif")
    text = refused(tmp_path)
    assert "several images are called 'a': images/a.png, images/a.tif" in text


def test_a_mask_of_another_name_than_the_others_is_said(tmp_path):
    """One that was set aside, or that of an image that is missing."""
    pairs(tmp_path, ("im1", "im2", "im3", "im4"))
    (tmp_path / "masks/im4.png").rename(tmp_path / "masks/im4_WRONG.png")
    assert said(listed(tmp_path), "but for 1 that", "im4_WRONG.png")
    (tmp_path / "masks/im3.png").rename(tmp_path / "masks/im3_1.png")
    assert not said(listed(tmp_path), "but for")  # as many: objects, of which an image may have one
    shutil.copy(tmp_path / "masks/im4_WRONG.png", tmp_path / "masks/im3_2.png")
    assert said(listed(tmp_path), "but for 1 that", "im4_WRONG.png") and said(listed(tmp_path), "joined: im3")


def test_masks_without_an_image_are_said(tmp_path):
    pairs(tmp_path, ("a", "b"))
    mask(tmp_path / "masks" / "legend.png")
    assert said(listed(tmp_path), "no image is called like these", "masks/legend.png")


def test_another_data_sets_folder_is_told_apart(tmp_path):
    draw("drive", tmp_path / "d", Phantom(images=4, height=32, width=32))
    table(tmp_path / "d" / "DRIVE", "image,mask", "training/images/21_training.tif,training/1st_manual/21_manual1.gif")
    assert said(listed(tmp_path / "d" / "DRIVE"), "this looks like DRIVE")
    picture(tmp_path / "p" / "images" / "img_00001.jpg")
    mask(tmp_path / "p" / "labels" / "label_00001.png")
    with pytest.raises(StudyError, match="this looks like PhC"):
        build_index("drive", tmp_path / "p")
    pairs(tmp_path / "own")
    with pytest.raises(StudyError, match="this looks like a folder of images and masks"):
        build_index("drive", tmp_path / "own")


def test_sizes_that_differ_are_found_by_the_checks(tmp_path):
    pairs(tmp_path, ("a", "b"))
    mask(tmp_path / "masks" / "b.png", shape=(6, 8))
    frame = build_index("folder", tmp_path)
    labels = labels_of("folder")
    describe(frame, tmp_path, "folder", labels, "mine", tmp_path / "out")
    with pytest.raises(StudyError, match="size_mismatch: b: mask is 8x6, image 16x16"):
        check_images(read_csv(tmp_path / "out" / "samples.csv"), frame, labels=labels)


# --- config ---


def study(**dataset):
    blocks = {
        "study": "s",
        "datasets": {"mine": {"reader": "folder", "root": "x", **dataset}},
        "models": {"unet": {}},
        "losses": {"bce": {}},
        "recipes": {"default": {}},
        "experiments": {
            "e": {"question": "Which one?", "datasets": ["mine"], "models": ["unet"], "losses": ["bce"], "seeds": 1}
        },
    }
    return load_study(blocks)


def test_layout_belongs_to_the_reader_folder_alone():
    assert study(layout={"images": "raw"}).datasets["mine"].layout == Layout(images="raw")
    with pytest.raises(StudyError, match="those of annotation files; the reader 'drive' knows its files"):
        study(reader="drive", layout={"images": "raw"})


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ({"maks": "x"}, "Did you mean 'masks'"),
        ({"group_pattern": "(["}, "is no regular expression"),
        ({"group_pattern": "(a)(b)"}, "2 pairs of brackets"),
    ],
)
def test_a_layout_that_says_nothing_is_refused(layout, words):
    with pytest.raises(StudyError) as caught:
        study(layout=layout)
    assert words in str(caught.value) and "datasets.mine.layout" in str(caught.value)


# --- several classes, inverted masks, the phantom ---


def test_classes_of_the_config_from_index_to_store(tmp_path):
    picture(tmp_path / "images" / "a.png")
    ids = np.zeros(SHAPE, np.uint8)
    ids[:, 4:8], ids[:, 8:] = 10, 30
    (tmp_path / "masks").mkdir()
    Image.fromarray(ids).save(tmp_path / "masks" / "a.png")
    frame = build_index("folder", tmp_path)
    labels = labels_of("folder", {"wall": 10, "window": [20, 30]})
    build_store(frame, tmp_path, tmp_path / "store", "native", "grey", "folder", labels, 1)
    stored = open_store(tmp_path / "store")
    np.testing.assert_array_equal(stored.masks[0, 0], [0] * 4 + [1] * 4 + [2] * 8)
    with pytest.raises(StudyError, match="30") as caught:
        build_store(frame, tmp_path, tmp_path / "s2", "native", "grey", "folder", labels_of("folder", {"wall": 10}), 1)
    assert "wall 10" in str(caught.value) and str(Path("masks", "a.png")) in str(caught.value)


def test_inverted_masks_from_index_to_store(tmp_path):
    pairs(tmp_path, ("a",))
    labels = labels_of("folder", inverted=True)
    build_store(build_index("folder", tmp_path), tmp_path, tmp_path / "store", "native", "grey", "folder", labels, 1)
    np.testing.assert_array_equal(open_store(tmp_path / "store").masks[0, 0], [0] * 4 + [1] * 12)


def test_the_phantom_has_groups_strata_and_a_card(tmp_path):
    draw("folder", tmp_path, Phantom(images=16, height=48, width=64))
    frame = build_index("folder", tmp_path)
    assert frame["group"].nunique() == PLATES and frame["stratum"].value_counts().to_dict() == {"bright": 8, "dim": 8}
    assert said(frame, "masks are those in folder/masks", "folder/kinds") and len(frame.attrs["repairs"]) == 1
    describe(frame, tmp_path, "folder", labels_of("folder"), "mine", tmp_path / "out")
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["foreground"]["minimum"] > 0.02 and card["foreground"]["maximum"] < 0.6 and not card["problems"]


def test_the_phantom_read_with_three_classes(tmp_path):
    draw("folder", tmp_path, Phantom(images=16, height=48, width=64))
    layout, classes = Layout(masks="kinds"), {"disc": 1, "square": 2, "triangle": 3}
    frame = build_index("folder", tmp_path, layout=layout)
    labels = labels_of("folder", classes)
    describe(frame, tmp_path, "folder", labels, "mine", tmp_path / "out", layout=layout)
    assert check_images(read_csv(tmp_path / "out" / "samples.csv"), frame, labels=labels)["findings"] == []
    build_store(frame, tmp_path, tmp_path / "store", "native", "rgb", "folder", labels, 1)
    stored = open_store(tmp_path / "store")
    assert stored.meta["classes"] == ["disc", "square", "triangle"] and set(np.unique(stored.masks)) == {0, 1, 2, 3}
    discs = build_index("folder", tmp_path)
    for row, name in enumerate(discs["mask"]):
        np.testing.assert_array_equal(stored.masks[row] == 1, read_mask(tmp_path / name).array)


# --- layouts of public data sets ---


def test_a_folder_for_each_image_with_a_mask_for_each_object(tmp_path):
    for name in ("a1", "b2"):
        picture(tmp_path / name / "images" / f"{name}.png")
        for number, columns in enumerate((2, 5)):
            mask(tmp_path / name / "masks" / f"{number}f.png", columns)
    frame = listed(tmp_path)
    assert list(frame["mask"]) == ["a1/masks/*", "b2/masks/*"] and list(frame.index) == ["a1", "b2"]
    assert read_mask(tmp_path / "a1/masks/*").array.mean() == 5 / 16


def test_folders_that_are_called_like_subsets_are_these(tmp_path):
    for folder in ("Train_Folder", "Val_Folder", "Test_Folder"):
        pairs(tmp_path / folder, (folder[0],), images="img", masks="label")
    assert dict(listed(tmp_path)["official_subset"]) == {"T": "train", "V": "val", "Test_T": "test"} or dict(
        listed(tmp_path)["official_subset"]
    ) == {"test_T": "test", "train_T": "train", "val_V": "val"}


def test_pictures_that_nobody_looks_into_are_said_where_folders_are_named_too(tmp_path):
    pairs(tmp_path, images="raw/train", masks="drawn")
    picture(tmp_path / "test" / "9.png")
    assert said(listed(tmp_path, images="raw/train", masks="drawn"), "masks are those in drawn; nobody looks into test")


def test_what_is_there_instead_of_masks_is_said(tmp_path):
    pairs(tmp_path, ("1",))
    (tmp_path / "masks" / "1.png").rename(tmp_path / "masks" / "1.svg")
    (tmp_path / "notes.mat").write_bytes(b"MATLAB")
    assert "masks none; masks: 1 file left out, no image format that is read (.svg): 1.svg" in refused(tmp_path)
    (tmp_path / "masks" / "1.svg").rename(tmp_path / "masks" / "1.npy")
    assert "the labels are arrays of NumPy, which are not read" in refused(tmp_path)
    shutil.rmtree(tmp_path / "images")
    (tmp_path / "images.zip").write_bytes(b"PK")
    assert "no folder of images; images.zip is packed: unpack it" in refused(tmp_path)


def test_a_path_of_another_machine_is_said_with_that_of_this_one(tmp_path):
    pairs(tmp_path, ("1",))
    table(tmp_path, "image,group", r"C:\Users\anna\cells\images\1.png,p1")
    assert "Paths are those below the root: 'images/1.png' is there" in refused(tmp_path)
