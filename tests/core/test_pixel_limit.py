"""A picture never takes more memory than allowed, and a file that lies about its size is found out."""

import io
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segstudy.config.datasets import DatasetConfig
from segstudy.core import pixel_limit
from segstudy.core.arrays import read_array, read_arrays, write_arrays
from segstudy.core.errors import StudyError
from segstudy.core.pixel_limit import MAX_MEGAPIXELS, allowing
from segstudy.data import store
from segstudy.data.images import read as images
from segstudy.data.images.decode import opened
from segstudy.data.images.label_map import binary
from segstudy.data.images.prediction_files import read_classes, read_probability, write_probability
from segstudy.data.images.read import image_size, read_image, read_reduced
from segstudy.data.images.read_masks import read_colours, read_labels, read_mask
from segstudy.data.index import build_index
from segstudy.data.readers.ph2_table import diagnoses
from segstudy.deploy.predict import listed
from segstudy.runtime.job import _pictures
from segstudy.runtime.raw_folder import listing

READERS = (image_size, read_image, read_mask, read_labels, read_colours, read_probability)


def bomb(path, side=30_000):
    """Write a picture of side x side pixels that takes a few kilobytes."""

    def chunk(kind, content):
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    head = side.to_bytes(4) * 2 + bytes([8, 0, 0, 0, 0])
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))))
    return path


@pytest.fixture
def undecoded(monkeypatch):
    def decoded(self, *arguments):
        raise AssertionError("it was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)


@pytest.mark.parametrize("read", [*READERS, lambda path: read_classes(path, 2)])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, undecoded, read):
    with pytest.raises(StudyError, match=r"900 megapixels \(30000x30000\)") as caught:
        read(bomb(tmp_path / "a.png"))
    assert str(tmp_path / "a.png") == caught.value.where
    assert "max_megapixels allows 200" in caught.value.what
    assert "raise datasets.<name>.max_megapixels" in caught.value.remedy


@pytest.mark.parametrize(("name", "mode"), [("a.tif", "RGB"), ("a.gif", "P"), ("a.png", "I;16"), ("a.jpg", "L")])
def test_the_limit_holds_for_every_format(tmp_path, name, mode):
    picture = Image.new(mode, (1100, 1000))
    picture.save(tmp_path / name, **({"save_all": True, "append_images": [picture]} if mode == "P" else {}))
    with allowing(1.0, "datasets.mine.max_megapixels"), pytest.raises(StudyError, match=r"datasets\.mine\.max_meg"):
        read_image(tmp_path / name)
    with allowing(1.1, "datasets.mine.max_megapixels"):
        assert read_image(tmp_path / name).shape == (1000, 1100, 3)
    assert read_image(tmp_path / name).shape == (1000, 1100, 3)


def test_the_index_checks_images_and_masks_of_a_data_set(tmp_path):
    for kind, side in (("images", 16), ("masks", 16), ("rois", 40)):
        (tmp_path / kind).mkdir()
        Image.new("L", (side, side)).save(tmp_path / kind / "1.png")
    with (
        allowing(0.001, "datasets.mine.max_megapixels"),
        pytest.raises(StudyError, match="megapixels") as caught,
    ):
        build_index("folder", tmp_path)
    assert caught.value.where.endswith("rois/1.png")


def test_a_job_reads_what_its_data_set_allows(monkeypatch):
    monkeypatch.setenv("SEGSTUDY_MAX_MEGAPIXELS", json.dumps({"a": 1.0, "b": 300.0}))
    for wildcards, limit in (({"dataset": "a"}, 1.0), ({"dataset": "a", "unlabelled": "b"}, 300.0), ({}, 300.0)):
        with _pictures(SimpleNamespace(wildcards=wildcards)):
            assert pixel_limit.current().megapixels == limit
    assert pixel_limit.current().megapixels == MAX_MEGAPIXELS


def test_a_low_limit_is_not_meant_for_figures_that_were_drawn(tmp_path):
    Image.new("L", (1100, 1000)).save(tmp_path / "examples.png")
    with allowing(0.01, "datasets.mine.max_megapixels"), opened(tmp_path / "examples.png", drawn=True) as image:
        assert image.size == (1100, 1000)
    with pytest.raises(StudyError, match="900 megapixels"), opened(bomb(tmp_path / "a.png"), drawn=True):
        pass


def test_the_key_of_the_config_is_a_number_above_zero():
    assert DatasetConfig(reader="folder").max_megapixels == 200
    for wrong in (0, -1, "many"):
        with pytest.raises(ValueError, match="max_megapixels"):
            DatasetConfig.model_validate({"reader": "folder", "max_megapixels": wrong})


@pytest.mark.parametrize("kind", ["zTXt", "iCCP", "iTXt"])
def test_text_in_a_picture_is_not_unpacked_without_bounds(tmp_path, kind):
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, "png")
    content, packed = stream.getvalue(), zlib.compress(bytes(300_000_000), 9)
    body = kind.encode() + {"iTXt": b"a\0\1\0\0\0"}.get(kind, b"a\0\0") + packed
    chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    (tmp_path / "a.png").write_bytes(content[:33] + chunk + content[33:])
    with pytest.raises(StudyError, match=r"a\.png|cannot be read"):
        read_image(tmp_path / "a.png")


def test_a_file_that_would_run_a_program_is_no_image(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    with pytest.raises(StudyError, match="it is no image"), opened(tmp_path / "a.png"):
        pass


@pytest.mark.parametrize("mmap", [True, False])
def test_an_array_whose_header_lies_is_refused(tmp_path, mmap):
    path = tmp_path / "images.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**9, 3)})
        file.write(bytes(100))
    with pytest.raises(StudyError, match="the file holds 100") as caught:
        read_array(path, mmap)
    assert caught.value.where == str(path)


def test_arrays_are_read_as_they_were_written(tmp_path):
    for array in (
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.zeros((0, 4), np.uint8),
        np.asfortranarray(np.eye(3)),
    ):
        np.save(tmp_path / "a.npy", array)
        for mmap in (True, False):
            np.testing.assert_array_equal(read_array(tmp_path / "a.npy", mmap), array)
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(StudyError, match="no array"):
        read_array(tmp_path / "a.npy")


def test_packed_arrays_are_not_unpacked_beyond_a_bound(tmp_path, monkeypatch):
    write_arrays(tmp_path / "h.npz", {"a": np.zeros(10_000)})
    assert read_arrays(tmp_path / "h.npz", ("a",))["a"].shape == (10_000,)
    monkeypatch.setattr("segstudy.core.arrays.LARGEST_ARCHIVE", 50_000)
    with pytest.raises(StudyError, match="when it is unpacked"):
        read_arrays(tmp_path / "h.npz", ("a",))
    (tmp_path / "h.npz").write_bytes(b"PK nothing")
    with pytest.raises(StudyError, match="is damaged"):
        read_arrays(tmp_path / "h.npz", ("a",))


def test_a_spreadsheet_that_unpacks_to_gigabytes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "PH2_dataset.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(60_000_000))
    with pytest.raises(StudyError, match="60 MB when it is unpacked"):
        diagnoses(tmp_path / "PH2_dataset.xlsx")


def test_a_spreadsheet_with_one_cell_far_away_is_refused(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.cell(1_000_000, 1_000, "far")
    book.save(tmp_path / "PH2_dataset.xlsx")
    with pytest.raises(StudyError, match="1000000 rows and 1000 columns"):
        diagnoses(tmp_path / "PH2_dataset.xlsx")


@pytest.fixture(scope="module")
def scan():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)).resize(
        (1200, 900), Image.Resampling.BICUBIC
    )


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "RGB"), ("a.tif", "L"), ("a.png", "P"), ("a.png", "I;16"), ("a.jpg", "RGB"), ("a.tif", "CMYK")],
)
def test_a_reduced_picture_is_what_reading_and_resizing_gives(tmp_path, scan, name, mode):
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(scan.convert("L")).astype(np.uint16) * 257)
    else:
        picture = scan.convert(mode)
    picture.save(tmp_path / name)
    reduced, size = read_reduced(tmp_path / name, (90, 120))
    whole = Image.fromarray(read_image(tmp_path / name)).resize((120, 90), Image.Resampling.LANCZOS)
    assert (size, reduced.shape, reduced.dtype) == ((900, 1200), (90, 120, 3), np.uint8)
    difference = np.abs(reduced.astype(int) - np.asarray(whole))
    assert difference.max() <= (8 if name.endswith("jpg") else 3)


def test_only_pictures_above_the_default_limit_are_reduced_while_they_are_read(tmp_path, scan, monkeypatch):
    (tmp_path / "raw").mkdir()
    scan.save(tmp_path / "raw/a.png")
    Image.new("1", scan.size, 1).save(tmp_path / "raw/m.png")
    index = pd.DataFrame([{"sample": "a", "image": "a.png", "mask": "m.png", "roi": "", "width": 1200, "height": 900}])
    built = {}
    for large in (False, True):
        monkeypatch.setattr(store, "MAX_MEGAPIXELS", 0.5 if large else 200)
        calls = []
        monkeypatch.setattr(store, "read_reduced", lambda *a, calls=calls: calls.append(a) or images.read_reduced(*a))
        out = tmp_path / f"store{large}"
        store.build_store(index, tmp_path / "raw", out, {"long_side": 128}, "rgb", "folder", binary("a"), 1)
        assert len(calls) == large
        built[large] = store.open_store(out)
    assert np.abs(built[True].images.astype(int) - built[False].images).max() <= 1
    pd.testing.assert_frame_equal(built[True].geometry, built[False].geometry)


@pytest.mark.parametrize("band", [1, 7, 10**9])
def test_the_size_of_bands_changes_nothing(tmp_path, scan, monkeypatch, band):
    scan = scan.resize((37, 23))
    grey = np.asarray(scan.convert("L"))
    scan.save(tmp_path / "rgb.png")
    scan.convert("RGBA").save(tmp_path / "rgba.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey / np.float32(255)).save(tmp_path / "f.tif")
    monkeypatch.setattr("segstudy.data.images.decode.BAND", band)
    np.testing.assert_array_equal(read_image(tmp_path / "rgb.png"), np.asarray(scan))
    for name in ("deep.png", "f.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name)[..., 0], grey)
    for name in ("rgb.png", "rgba.png"):
        mask = read_mask(tmp_path / name)
        np.testing.assert_array_equal(mask.array, np.asarray(scan).max(2) > 127)
        assert mask.values == len(np.unique(np.asarray(scan).reshape(-1, 3), axis=0))
        assert mask.between == np.mean((np.asarray(scan).max(2) > 25.5) & (np.asarray(scan).max(2) < 229.5))
    packed = np.asarray(scan).astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    np.testing.assert_array_equal(read_colours(tmp_path / "rgb.png")[0], packed)
    write_probability(tmp_path / "p.png", grey / np.float32(255))
    expected = np.rint((grey / np.float32(255)).astype(np.float64) * 65535).astype(np.uint16)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "p.png")), expected)


def test_links_in_a_circle_and_links_to_nothing_do_not_hold_up_the_fingerprint(tmp_path):
    (tmp_path / "raw/a").mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/1.png").write_text("x")
    (tmp_path / "raw/a/2.png").write_text("xy")
    for link, target in (("a/up", ".."), ("a/up2", ".."), ("self", "."), ("out", "../../"), ("disk", "../disk")):
        (tmp_path / "raw" / link).symlink_to(target)
    (tmp_path / "raw/a/3.png").symlink_to("nowhere")
    (tmp_path / "raw/out").unlink()
    found = {name: size for name, size, _ in listing(tmp_path / "raw")}
    assert found == {"a/2.png": 2, "a/3.png": -1, "disk/1.png": 1}


@pytest.fixture
def somebody():
    """A folder of somebody who is not root, and may do what modes say."""
    folder = Path(tempfile.mkdtemp(prefix="segstudy-test-"))
    user = os.geteuid()
    if user == 0:
        os.chown(folder, 65534, 65534)
        os.setresuid(65534, 65534, 0)
    yield folder
    if user == 0:
        os.setresuid(0, 0, 0)
    for path in (folder, *folder.glob("*"), *folder.glob("*/*")):
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)


def pairs(root):
    for kind in ("images", "masks"):
        (root / kind).mkdir()
        for number in (1, 2):
            Image.new("L", (16, 16), number).save(root / kind / f"{number}.png")
    return root


@pytest.mark.parametrize("closed", ["", "images", "masks", "images/1.png", "masks/2.png"])
def test_the_index_says_which_file_or_folder_it_has_no_permission_for(somebody, closed):
    (pairs(somebody) / closed).chmod(0)
    with pytest.raises((StudyError, PermissionError)) as caught:
        build_index("folder", somebody)
    from segstudy.runtime.job import explain

    assert "no permission" in explain(caught.value)
    assert str(somebody / closed) in explain(caught.value)


def test_a_folder_that_is_left_out_for_want_of_permission_is_told(somebody):
    for half in ("train", "test"):
        (somebody / half).mkdir()
        pairs(somebody / half)
    (somebody / "test").chmod(0)
    (somebody / "lost+found").mkdir(mode=0)
    found = build_index("folder", somebody)
    assert found.attrs["repairs"] == ["no permission to look into test: left out"]
    (somebody / "lost+found").rmdir()


@pytest.mark.parametrize("closed", ["", "images"])
def test_new_images_without_permission_are_named(somebody, closed):
    (pairs(somebody) / closed).chmod(0)
    with pytest.raises(StudyError, match="no permission to look into this folder") as caught:
        listed([somebody], somebody / "out")
    assert caught.value.where == str(somebody / closed)


def test_an_image_without_permission_is_not_called_damaged(somebody):
    Image.new("L", (4, 4)).save(somebody / "a.png")
    (somebody / "a.png").chmod(0)
    with pytest.raises(StudyError, match="no permission to read this file"):
        read_image(somebody / "a.png")
