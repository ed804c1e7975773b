"""What samples of an own folder are called, which files of it are read, and what is said of the others."""

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv, write_csv
from segstudy.core.names import is_sample_name
from segstudy.data.card import describe
from segstudy.data.images.read import SUFFIXES, read_image
from segstudy.data.index import build_index
from segstudy.data.readers import discovery, left_out
from segstudy.data.readers.registry import labels_of
from segstudy.data.readers.sample_names import file_name, named
from segstudy.data.store import build_store, open_store
from tests.data.readers.test_folder import listed, mask, pairs, picture, refused, table
from tests.helpers.raw_data import said

# --- names ---


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("a b", "a_b"),
        ("größe", "grosse"),
        ("Ångström", "Angstrom"),
        ("甲", "Jia"),
        ("Почка 1", "Pochka_1"),
        ("p1/a", "p1_a"),
        (".x", "x.x"),
        ("", "x"),
    ],
)
def test_titles_become_names_of_files(title, name):
    assert file_name(title) == name and is_sample_name(name)


def test_names_that_meet_get_a_hash_and_fit_ones_stay():
    rows = [{"sample": name, "image": f"images/{name}.png", "official_subset": ""} for name in ("a b", "a_b", "a+b")]
    result = named(rows, repairs := [])
    names = [row["sample"] for row in result]
    assert names[1] == "a_b" and len(set(names)) == 3 and all(name.startswith("a_b") for name in names)
    assert [row["title"] for row in result] == ["a b", "", "a+b"] and "2 names changed" in repairs[0]
    assert [row["sample"] for row in named(rows[:2], [])] == names[:2]  # the hash is that of the name


@pytest.mark.parametrize("names", ["甲乙丙丁", ("größe", "grüße"), ("a b", "a_b")])
def test_every_name_is_a_sample_with_its_title_from_index_to_card(tmp_path, names):
    pairs(tmp_path / "raw", names)
    frame = build_index("folder", tmp_path / "raw")
    assert len(frame) == len(names) and {row["title"] or row["sample"] for row in frame.to_dict("records")} == {*names}
    write_csv(tmp_path / "index.csv", frame)
    index = read_csv(tmp_path / "index.csv")
    assert list(index["title"]) == list(frame["title"])
    describe(index, tmp_path / "raw", "folder", labels_of("folder"), "mine", tmp_path / "out")
    assert names[0] in (tmp_path / "out" / "card.md").read_text(encoding="utf-8")


def test_names_that_files_can_have_leave_the_index_as_it_was(tmp_path):
    for half in ("train", "test"):
        pairs(tmp_path / half, ("1", "2"))
    assert "title" not in listed(tmp_path)


def test_composed_and_decomposed_names_are_one(tmp_path):
    pairs(tmp_path, ("café1", "café2"))
    for path in list((tmp_path / "masks").iterdir()):
        path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))
    table(tmp_path, "image,mask", "images/café1.png,masks/café1.png", "images/café2.png,")
    frame = listed(tmp_path)
    assert list(frame.index) == ["cafe1", "cafe2"]
    assert list(frame["mask"]) == [unicodedata.normalize("NFD", f"masks/café{k}.png") for k in (1, 2)]
    for number in (1, 2):
        mask(tmp_path / "masks" / unicodedata.normalize("NFD", f"café1_{number}.png"))
    (tmp_path / "masks" / unicodedata.normalize("NFD", "café1.png")).unlink()
    (tmp_path / "samples.csv").unlink()
    assert listed(tmp_path).loc["cafe1", "mask"] == unicodedata.normalize("NFD", "masks/café1_*")


def test_a_name_that_spells_such_bytes_is_refused(tmp_path):
    pairs(tmp_path, (r"a\xe9z", "b"))
    assert "rename the file" in refused(tmp_path)


def test_a_name_that_is_no_utf8_is_read(tmp_path):
    pairs(tmp_path / "raw", ("a", "b"))
    for folder in ("images", "masks"):
        place = os.fsencode(tmp_path / "raw" / folder)
        os.rename(place + b"/a.png", place + b"/gr\xf6n.png")
    write_csv(tmp_path / "index.csv", build_index("folder", tmp_path / "raw"))
    index = read_csv(tmp_path / "index.csv")
    assert list(index["sample"]) == ["b", "gron"] and list(index["title"]) == ["", "grön"]
    assert index["image"][1] == r"images/gr\xf6n.png"
    assert (read_image(tmp_path / "raw" / index["image"][1]) == 60).all()
    describe(index, tmp_path / "raw", "folder", labels_of("folder"), "mine", tmp_path / "out")
    build_store(index, tmp_path / "raw", tmp_path / "store", "native", "grey", "folder", labels_of("folder"), 1)
    assert open_store(tmp_path / "store").masks.sum() == 2 * 16 * 4


def test_one_name_in_the_folders_of_four_patients(tmp_path):
    for patient in range(4):
        pairs(tmp_path / f"p{patient}", ("1", "2"))
    frame = listed(tmp_path)
    assert list(frame.index) == [f"p{k}_{n}" for k in range(4) for n in (1, 2)] and frame.loc["p1_2", "title"] == "p1/2"
    assert frame.loc["p3_1", "mask"] == "p3/masks/1.png" and said(frame, "images lie in 4 folders", "group_pattern")
    grouped = listed(tmp_path, group_pattern="^[^/]+")
    assert list(grouped["group"]) == [f"p{k}" for k in range(4) for _ in (1, 2)]
    assert not said(grouped, "images lie in")
    lines = [f"p{k}/images/{n}.png,p{k}/masks/{n}.png,{k}" for k in range(4) for n in (1, 2)]
    table(tmp_path, "image,mask,group", *lines)
    assert list(listed(tmp_path).index) == list(frame.index)


# --- files ---


@pytest.mark.parametrize("ending", ["webp", "avif", "jp2", "pbm", "jfif", "dib"])
def test_further_formats_are_read(tmp_path, ending):
    pairs(tmp_path, ("a",))
    saved = {"jfif": {"format": "JPEG"}, "webp": {"lossless": True}}.get(ending, {})
    value = 255 if ending == "pbm" else 200
    pixels = np.full((16, 16), value, np.uint8)
    Image.fromarray(pixels).convert("1" if ending == "pbm" else "RGB").save(tmp_path / f"images/b.{ending}", **saved)
    mask(tmp_path / "masks" / "b.png")
    frame = listed(tmp_path)
    assert list(frame["image"]) == ["images/a.png", f"images/b.{ending}"] and frame.attrs["repairs"] == []
    assert abs(int(read_image(tmp_path / f"images/b.{ending}").mean()) - value) <= 2


def test_every_other_file_is_named_with_the_reason(tmp_path, monkeypatch):
    without = tuple(suffix for suffix in SUFFIXES if suffix not in left_out.HEIC)  # where pillow-heif is not installed
    monkeypatch.setattr(left_out, "SUFFIXES", without)
    monkeypatch.setattr(discovery, "SUFFIXES", without)
    pairs(tmp_path, ("a", "b"))
    for name in ("images/c.xyz", "images/d.HEIC", "masks/notes.txt", "images/Thumbs.db", "masks/.DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    picture(tmp_path / "images" / "old" / "e.png")
    picture(tmp_path / "masks" / "f" / "e.png")
    os.symlink("/nowhere/g.png", tmp_path / "images" / "g.png")
    os.symlink("h", tmp_path / "h")
    os.symlink(tmp_path, tmp_path / "self")
    frame = listed(tmp_path)
    assert list(frame.index) == ["a", "b"]
    assert said(frame, "images: 1 file left out, no image format", "(.xyz)", "c.xyz")
    assert said(frame, "masks: 1 file left out", "notes.txt")
    assert said(frame, "folders in it are not read", "images/old")
    assert said(frame, "folders in it are not read", "masks/f")
    assert said(frame, "links that lead nowhere or in a circle, left out: h, images/g.png, self")
    assert said(frame, "d.HEIC", "pillow-heif") and len(frame.attrs["repairs"]) == 6


def test_links_that_lead_nowhere_are_the_reason_for_no_images(tmp_path):
    pairs(tmp_path, ("a",))
    (tmp_path / "images" / "a.png").unlink()
    os.symlink("/annex/a.png", tmp_path / "images" / "a.png")
    assert "there are no images in this folder (links that lead nowhere" in refused(tmp_path)


def test_folders_of_images(tmp_path):
    for folder, name in (("p1", "a"), ("p1", "b"), ("p2/left", "a")):
        picture(tmp_path / "images" / folder / f"{name}.png")
        mask(tmp_path / "masks" / folder / f"{name}_mask.png")
    frame = listed(tmp_path)
    assert dict(frame["mask"]) == {f"{k}": f"masks/{m}_mask.png" for k, m in
                                   (("p1_a", "p1/a"), ("p1_b", "p1/b"), ("p2_left_a", "p2/left/a"))}  # fmt: skip
    assert list(listed(tmp_path, group_pattern="^[^/]+")["group"]) == ["p1", "p1", "p2"]
    table(tmp_path, "sample,group", "p1/a,x", "b,y")
    assert dict(listed(tmp_path)["group"]) == {"p1_a": "x", "p1_b": "y"}


def test_folders_of_images_with_all_masks_in_one(tmp_path):
    for folder, name in (("p1", "a"), ("p2", "b")):
        picture(tmp_path / "images" / folder / f"{name}.png")
        mask(tmp_path / "masks" / f"{name}.png")
    assert dict(listed(tmp_path)["mask"]) == {"p1_a": "masks/a.png", "p2_b": "masks/b.png"}
    picture(tmp_path / "images" / "p2" / "a.png")
    assert "one mask fits 2 images: masks/a.png, images/p1/a.png, images/p2/a.png" in refused(tmp_path)


def test_folders_that_are_no_subset_are_named(tmp_path):
    pairs(tmp_path / "train", ("1", "2"))
    pairs(tmp_path / "Val_Folder", ("3",))
    picture(tmp_path / "test" / "4.png")
    frame = listed(tmp_path)
    assert list(frame["official_subset"]) == ["train"] * 2
    assert said(frame, "left out, not called train, val, test, unlabelled", "Val_Folder, test")


def test_images_and_masks_called_differently_at_the_beginning(tmp_path):
    for name in ("1", "2"):
        picture(tmp_path / "all" / f"img_{name}.png")
        mask(tmp_path / "all" / f"mask_{name}.png")
    picture(tmp_path / "all" / "legend.png")
    frame = listed(tmp_path, images="all", masks="all", image_prefix="img_", mask_prefix="mask_")
    assert dict(frame["mask"]) == {"img_1": "all/mask_1.png", "img_2": "all/mask_2.png"}
    assert said(frame, "left out, no name of an image or a mask", "all/legend.png")
    for name in ("1", "2"):
        (tmp_path / "all" / f"img_{name}.png").rename(tmp_path / "all" / f"{name}.png")
    frame = listed(tmp_path, images="all", masks="all", mask_prefix="mask_")
    assert frame.loc["1", "mask"] == "all/mask_1.png" and "mask_1" not in frame.index


def test_a_second_persons_masks(tmp_path):
    pairs(tmp_path, ("a", "b"), masks="drawn", suffix="_1st")
    for name in ("a", "b"):
        mask(tmp_path / "drawn" / f"{name}_2nd.png", 6)
    text = refused(tmp_path, masks="drawn")
    assert "image 'a' has several masks" in text and "layout.second_suffix" in text
    frame = listed(tmp_path, masks="drawn", mask_suffix="_1st", second_suffix="_2nd")
    assert dict(frame["second_mask"]) == {"a": "drawn/a_2nd.png", "b": "drawn/b_2nd.png"}
    assert list(frame["mask"]) == ["drawn/a_1st.png", "drawn/b_1st.png"] and frame.attrs["repairs"] == []
    mask(tmp_path / "other" / "a.png", 5)
    frame = listed(tmp_path, masks="drawn", mask_suffix="_1st", second_masks="other")
    assert dict(frame["second_mask"]) == {"a": "other/a.png", "b": ""} and said(frame, "drawn/a_2nd.png")


def stack(path, values, shape=(16, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pages = [Image.fromarray(np.full(shape, value, np.uint8)) for value in values]
    pages[0].save(path, save_all=True, append_images=pages[1:])


def test_pages_of_a_stack_are_a_group_of_images(tmp_path):
    stack(tmp_path / "raw/images/film.tif", (10, 20, 30))
    stack(tmp_path / "raw/masks/film.tif", (0, 255, 0))
    picture(tmp_path / "raw/images/still.png", 40)
    mask(tmp_path / "raw/masks/still.png")
    frame = build_index("folder", tmp_path / "raw", layout=Layout(pages=True))
    assert list(frame["sample"]) == ["film_p01", "film_p02", "film_p03", "still"]
    assert list(frame["group"]) == ["film"] * 3 + [""] and frame["image"][1] == "images/film.tif#page=2"
    assert frame["image_sha256"].is_unique and frame["mask_sha256"].is_unique
    describe(
        frame, tmp_path / "raw", "folder", labels_of("folder"), "mine", tmp_path / "out", layout=Layout(pages=True)
    )
    assert "page 1 of 3" not in (tmp_path / "out/card.md").read_text()
    build_store(frame, tmp_path / "raw", tmp_path / "store", "native", "grey", "folder", labels_of("folder"), 1)
    stored = open_store(tmp_path / "store")
    assert [int(image.max()) for image in stored.images] == [10, 20, 30, 40]
    assert [int(image.sum()) for image in stored.masks] == [0, 256, 0, 64]
    first = build_index("folder", tmp_path / "raw")
    assert list(first["image"]) == ["images/film.tif", "images/still.png"]
    stack(tmp_path / "raw/masks/film.tif", (0, 255))
    with pytest.raises(StudyError, match="the image has 3 pages, its mask 2"):
        build_index("folder", tmp_path / "raw", layout=Layout(pages=True))


def test_all_images_with_unreadable_headers_are_named(tmp_path):
    pairs(tmp_path, ("a", "b", "c"))
    for name in ("a", "c"):
        (tmp_path / "images" / f"{name}.png").write_bytes(b"")
    text = refused(tmp_path)
    assert "2 of 3 images cannot be used" in text and "images/a.png: the image cannot be read" in text
    assert "images/c.png: the image cannot be read" in text and "images/b.png" not in text


@pytest.mark.parametrize("masks", ["all", "drawn"])
def test_images_and_masks_called_differently_at_the_end(tmp_path, masks):
    for name in ("1", "2"):
        picture(tmp_path / "all" / f"{name}_sat.png")
        mask(tmp_path / masks / f"{name}_gt_ids.png")
    picture(tmp_path / "all" / "legend.png")
    assert "layout.image_suffix" in refused(tmp_path, images="all", masks=masks)
    frame = listed(tmp_path, images="all", masks=masks, image_suffix="_sat", mask_suffix="_gt_ids")
    assert dict(frame["mask"]) == {"1_sat": f"{masks}/1_gt_ids.png", "2_sat": f"{masks}/2_gt_ids.png"}
    assert said(frame, "left out, no name of an image or a mask", "all/legend.png")


def test_folders_of_patients_in_which_masks_lie_beside_images(tmp_path):
    """LGG, BUSI: the second object of an image has a number behind the suffix."""
    for folder, name in (("T0", "a"), ("T0", "b"), ("T1", "a")):
        picture(tmp_path / folder / f"{name}.png")
        mask(tmp_path / folder / f"{name}_mask.png")
    mask(tmp_path / "T0" / "a_mask_1.png")
    frame = listed(tmp_path, images=".", masks=".", mask_suffix="_mask")
    assert dict(frame["mask"]) == {"T0_a": "T0/a_mask*", "T0_b": "T0/b_mask.png", "T1_a": "T1/a_mask.png"}
    assert said(frame, "one mask file an object, joined: a") and not said(frame, "nobody looks into")
    picture(tmp_path / "T0" / "c_mask_1.png")  # an image of that name: nothing is called c
    assert "T0_c_mask_1" in listed(tmp_path, images=".", masks=".", mask_suffix="_mask").index
    mask(tmp_path / "T0" / "a_mask_x.png")
    assert "image 'a' has several masks" in refused(tmp_path, images=".", masks=".", mask_suffix="_mask")


@pytest.mark.parametrize("name", ["train.txt", "splits/trainval.txt", "test_ids.lst"])
def test_lists_of_subsets_that_are_not_read_are_named(tmp_path, name):
    pairs(tmp_path, names=("a_1", "a_2", "b_1"))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("img/a_2.png img/a_2_mask.png\na_1\n")
    (tmp_path / "train_log.txt").write_text("epoch 1\n")
    told = f"lists that are not read: {name}; if these are official subsets"
    assert [text for text in listed(tmp_path).attrs["repairs"] if told in text]
    table(tmp_path, "sample,subset", "a_1,train", "a_2,train", "b_1,test")
    assert not [text for text in listed(tmp_path).attrs["repairs"] if "not read: " in text]


def test_names_that_tell_subsets_are_said(tmp_path):
    pairs(tmp_path, names=("train_1", "train_2", "testA_1", "testB_1"))
    told = "names of all images begin with testA, testB, train; if these are official subsets"
    assert [text for text in listed(tmp_path).attrs["repairs"] if told in text]


def test_train_and_validation_in_one_folder_are_training(tmp_path):
    for half in ("train_val", "TEST"):
        pairs(tmp_path / half, names=(f"{half}1", f"{half}2"))
    assert dict(listed(tmp_path)["official_subset"].value_counts()) == {"train": 2, "test": 2}
