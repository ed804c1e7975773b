"""CHASE_DB1 and STARE as they are released: two persons, groups, the usual splits, packed files, a computed field."""

import gzip
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from segstudy.config.layout import Layout
from segstudy.config.paths import CONVERTED_MANIFEST
from segstudy.config.readers import READERS
from segstudy.core.errors import StudyError
from segstudy.core.pixel_limit import allowing
from segstudy.data.convert import convert
from segstudy.data.images.read import read_image
from segstudy.data.images.read_masks import read_mask
from segstudy.data.index import build_index
from segstudy.data.readers.registry import reader_module
from tests.helpers import releases
from tests.helpers.raw_data import said


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The folders of both releases; not to be changed."""
    root = tmp_path_factory.mktemp("released")
    releases.chase(root / "chase")
    releases.stare(root / "stare")
    return root


@pytest.fixture
def copies(released, tmp_path):
    return shutil.copytree(released, tmp_path / "raw")


def indexed(reader, root, out, layout=None):
    """Convert and index a release as the rules do; the index is by sample."""
    convert(reader, root, layout or Layout(), out)
    frame = build_index(reader, out)
    assert (out / CONVERTED_MANIFEST).is_file()
    return frame.set_index("sample")


def refused(reader, root, out):
    with pytest.raises(StudyError) as caught:
        convert(reader, root, Layout(), out)
    assert not (out / CONVERTED_MANIFEST).exists()
    return " ".join(str(caught.value).split())


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def assert_as_drawn(row, root, drawn):
    """Hold the four pictures of a row against what was drawn."""
    assert np.array_equal(read_mask(root / row["mask"]).array, drawn.vessels)
    assert np.array_equal(read_mask(root / row["second_mask"]).array, drawn.second)
    assert dice(read_mask(root / row["roi"]).array > 0, drawn.field) > 0.97  # 100 pixels wide: the rim is 4 %


def test_chase(released, tmp_path):
    frame = indexed("chase", released / "chase", tmp_path / "out")
    assert list(frame.index) == [f"{child:02d}{eye}" for child in (1, 10, 11, 14) for eye in "LR"]
    assert frame["group"].to_list() == [name[:2] for name in frame.index]
    assert frame["official_subset"].to_list() == ["train"] * 4 + ["test"] * 4
    assert (tmp_path / "out" / frame.loc["01L", "image"]).resolve() == (released / "chase/Image_01L.jpg").resolve()
    for child in (1, 14):
        for eye in "LR":
            row = frame.loc[f"{child:02d}{eye}"]
            assert_as_drawn(row, tmp_path / "out", releases.fundus(2 * child + (eye == "R")))
    assert said(frame, "field of view is computed from 8 of 8 photographs") and len(frame.attrs["repairs"]) == 1


def test_stare_packed_or_not_is_the_same(released, tmp_path):
    frame = indexed("stare", released / "stare", tmp_path / "out")
    assert list(frame.index) == ["im0001", "im0044", "im0139", "im0162", "im0324"]
    assert frame["official_subset"].to_list() == ["train"] * 3 + ["test"] * 2
    assert frame["group"].to_list() == list(frame.index)
    for number in releases.STARE:
        drawn, row = releases.fundus(100 + number), frame.loc[f"im{number:04d}"]
        assert np.array_equal(read_image(tmp_path / "out" / row["image"]), np.asarray(drawn.picture))
        assert_as_drawn(row, tmp_path / "out", drawn)
    releases.stare(tmp_path / "raw", packed=False)
    plain = indexed("stare", tmp_path / "raw", tmp_path / "plain")
    columns = [column for column in frame if column.endswith("sha256")] + ["official_subset", "group"]
    assert plain[columns].equals(frame[columns]) and plain.attrs == frame.attrs


@pytest.mark.parametrize("reader", ["chase", "stare"])
def test_only_its_own_reader_recognises_a_release(reader, released):
    assert [name for name in READERS if reader_module(name).recognises(released / reader)] == [reader]


@pytest.mark.parametrize("reader", ["chase", "stare"])
def test_one_folder_or_several_and_a_root_above(reader, released, tmp_path):
    expected = indexed(reader, released / reader, tmp_path / "out")
    flat, deep = tmp_path / "flat", tmp_path / "deep"
    for path in [path for path in (released / reader).rglob("*.*") if path.is_file()]:
        part = "labels" if "HO" in path.name or ".ah." in path.name or ".vk." in path.name else "photos"
        for folder in (flat, deep / "eyes" / (part + path.name.partition(".")[0][-6:])):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / path.name)
    for number, root in enumerate((flat, deep)):
        assert indexed(reader, root, tmp_path / f"out{number}").equals(expected)


def test_labels_named_by_their_folder_and_photographs_without(copies, tmp_path):
    root = copies / "stare"
    for who in ("ah", "vk"):
        for path in list((root / f"labels-{who}").iterdir()):
            path.rename(path.with_name(path.name.replace(f".{who}.", ".")))
    shutil.copy(root / "stare-images/im0001.ppm.gz", root / "stare-images/im0002.ppm.gz")
    shutil.copy(root / "stare-images/im0001.ppm.gz", root / "stare-images/im0397.ppm.gz")
    (root / "labels-vk/im0324.ppm.gz").unlink()
    with gzip.open(root / "stare-images/im0001.ppm.gz") as packed:
        (root / "stare-images/im0001.ppm").write_bytes(packed.read())  # beside the archive
    frame = indexed("stare", root, tmp_path / "out")
    assert_as_drawn(frame.loc["im0044"], tmp_path / "out", releases.fundus(144))
    # One of the twenty without labels stays in its half, so that `mask_missing` stops the study; others are unlabelled.
    assert frame.loc["im0002", ["mask", "official_subset"]].to_list() == ["", "train"]
    assert frame.loc["im0397", ["mask", "official_subset"]].to_list() == ["", "unlabelled"]
    assert frame.loc["im0324", "second_mask"] == "" and frame.loc["im0324", "mask"] != ""
    assert said(frame, "no labels-ah (vessels) for 2 of 7 images: im0002, im0397")
    assert said(frame, "no labels-vk", "3 of 7", "im0324")


def test_a_field_of_view_that_is_there_is_used(copies, tmp_path):
    field = np.zeros(releases.SHAPE, np.uint8)
    field[20:70, 10:90] = 255
    (copies / "chase/mask").mkdir()
    Image.fromarray(field).save(copies / "chase/mask/Image_10R_mask.png")
    frame = indexed("chase", copies / "chase", tmp_path / "out")
    assert np.array_equal(read_mask(tmp_path / "out" / frame.loc["10R", "roi"]).array, field > 0)
    assert said(frame, "field of view is computed from 7 of 8 photographs")


def test_groups_may_come_from_a_table(copies, tmp_path):
    table = "sample,group\nim0001,p1\nim0044,p1\n"
    (copies / "stare/people.csv").write_text(table)
    frame = indexed("stare", copies / "stare", tmp_path / "out", Layout(table="people.csv"))
    assert frame["group"].to_list() == ["p1", "p1", "im0139", "im0162", "im0324"]


def test_what_is_refused(copies, tmp_path):
    shutil.copy(copies / "chase/Image_01L.jpg", copies / "chase/image_1l.jpg")
    text = refused("chase", copies / "chase", tmp_path / "out")
    assert "several files for one picture" in text and "image_1l.jpg" in text
    (copies / "chase/image_1l.jpg").unlink()
    Image.new("RGB", (100, 96), (90, 50, 30)).save(copies / "chase/Image_14R.jpg")
    text = refused("chase", copies / "chase", tmp_path / "out")
    assert "the pictures of 1 of 8 images cannot be used: 14R: no field of view can be computed" in text
    cut = copies / "stare/labels-ah/im0139.ah.ppm.gz"
    cut.write_bytes(cut.read_bytes()[:-20])
    text = refused("stare", copies / "stare", tmp_path / "out")
    assert "cannot be unpacked" in text and "labels-ah/im0139.ah.ppm.gz" in text
    cut.write_bytes(gzip.compress(bytes(3_000)))
    assert "no picture that can be read" in refused("stare", copies / "stare", tmp_path / "out")


def test_a_packed_picture_is_not_unpacked_beyond_the_limit(copies, tmp_path):
    with allowing(0.001, "some.key"):
        text = refused("stare", copies / "stare", tmp_path / "out")
    assert "unpacked, the picture has more than 0.013 MB" in text and "raise some.key" in text


def test_the_manifest_names_all_files(released, tmp_path):
    indexed("chase", released / "chase", tmp_path / "out")
    images = json.loads((tmp_path / "out" / CONVERTED_MANIFEST).read_text())["images"]
    assert {row[column].partition("/")[0] for row in images for column in ("image", "mask", "roi", "second_mask")} == {
        *("images", "masks", "rois", "second_masks")
    }
