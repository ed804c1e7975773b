"""Names that stand in files never lead out of the folders they are meant for."""

import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from segstudy.config.base import Name
from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.core.files import read_csv, write_csv
from segstudy.core.names import LONGEST, is_sample_name, on_disk, readable, spelled
from segstudy.data.index import build_index


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/b", "/tmp/evil", "..", ".", ".hidden", "-rf", "", "a\nb", "a\0b", "a\\b", "x" * (LONGEST + 1), "ü"],
)
@pytest.mark.parametrize("file", ["index.csv", "seed0.csv", "counts.csv", "accepted.csv", "samples.csv", "found.csv"])
def test_no_table_names_a_sample_by_which_no_file_can_be_called(tmp_path, name, file):
    write_csv(tmp_path / file, pd.DataFrame({"sample": ["good", name], "subset": "test"}))
    with pytest.raises(StudyError, match="sample name") as caught:
        read_csv(tmp_path / file)
    assert f"{file}, row 3, column sample" in str(caught.value)


@pytest.mark.parametrize("column", ["image", "mask", "roi", "second_mask"])
@pytest.mark.parametrize("path", ["../a.png", "/etc/passwd", "images/../../a.png", "..", "images/a\n.png"])
def test_no_index_names_a_file_outside_of_the_root(tmp_path, column, path):
    write_csv(tmp_path / "index.csv", pd.DataFrame({"sample": ["1"], column: [path]}))
    with pytest.raises(StudyError, match="below the root") as caught:
        read_csv(tmp_path / "index.csv")
    assert f"index.csv, row 2, column {column}" in str(caught.value)


def test_ordinary_names_and_paths_are_read_as_they_are(tmp_path):
    table = pd.DataFrame({"sample": ["01", "a.b-c_d", "x" * LONGEST], "image": ["i/1 ü.png", "a..b.png", "m/x_*"]})
    write_csv(tmp_path / "index.csv", table)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "index.csv"), table)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "-x", ".x", "x" * 101, "a\n"])
def test_names_of_the_config_can_be_folders(name):
    with pytest.raises(ValidationError, match="file names"):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("key", ["images", "masks", "rois", "table"])
@pytest.mark.parametrize("path", ["../other", "/data/images", "a/../../b"])
def test_a_layout_stays_below_the_root(key, path):
    with pytest.raises(ValidationError, match="below the root"):
        Layout.model_validate({key: path})


def draw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[2:5, 2:5] = 255
    pixels[0, 0] = np.frombuffer(os.urandom(3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def root(tmp_path):
    for name in ("1.png", "2.png"):
        draw(tmp_path / "raw/images" / name)
        draw(tmp_path / "raw/masks" / name)
    return tmp_path / "raw"


def test_a_table_that_names_a_file_outside_of_the_root_is_refused_with_a_remedy(root):
    draw(root.parent / "other.png")
    for cell in ("../other.png", "../../other.png", str(root.parent / "other.png")):
        (root / "samples.csv").write_text(f"image,mask\n{cell},masks/1.png\n")
        with pytest.raises(StudyError, match="no path below the root") as caught:
            build_index("folder", root)
        assert "samples.csv, row 2, column image" in str(caught.value)
        assert "symbolic link" in caught.value.remedy


def test_absolute_and_winding_paths_below_the_root_become_plain_ones(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    cells = (root / "images/1.png", tmp_path / "raw/masks/../images/1.png", "images/../images/1.png", "images/1.png")
    for cell in cells:
        (root / "samples.csv").write_text(f"image,mask\n{cell},{root}/masks/1.png\n")
        for top in (root, tmp_path / "link"):
            index = build_index("folder", top)
            assert index[["image", "mask"]].to_numpy().tolist() == [["images/1.png", "masks/1.png"]]


def test_files_behind_links_that_lie_below_the_root_are_read(root, tmp_path):
    (root / "images").rename(tmp_path / "disk")
    (root / "images").symlink_to(tmp_path / "disk")
    (root / "masks/1.png").rename(tmp_path / "1.png")
    (root / "masks/1.png").symlink_to(tmp_path / "1.png")
    assert build_index("folder", root)["image"].tolist() == ["images/1.png", "images/2.png"]
    (root / "samples.csv").write_text("image,mask\nimages/1.png,masks/1.png\n")
    assert build_index("folder", root)["mask"].tolist() == ["masks/1.png"]


def test_a_file_name_too_long_for_a_sample_is_cut(root):
    for name in ("y" * (LONGEST + 10), "y" * (LONGEST + 9)):
        draw(root / f"images/{name}.png")
        draw(root / f"masks/{name}.png")
    index = build_index("folder", root)
    assert all(is_sample_name(name) for name in index["sample"]) and index["sample"].is_unique
    assert set(index["title"]) == {"", "y" * (LONGEST + 10), "y" * (LONGEST + 9)}


def test_bytes_that_are_no_utf8_are_spelled_and_read():
    name = os.fsdecode(b"gr\xf6\xdfe")
    assert spelled(name) == r"gr\xf6\xdfe" and on_disk(spelled(name)) == name
    assert readable(name) == readable(spelled(name)) == "größe"
    assert readable("cafe\u0301") == "caf\u00e9" and spelled("größe") == on_disk("größe") == "größe"
