"""Raw data count as changed when, and only when, what the reader makes of them has changed."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from segstudy.config.layout import Layout
from segstudy.data import raw_content
from segstudy.data.raw_content import content_hash
from segstudy.runtime.raw_folder import listing


@pytest.fixture
def root(tmp_path):
    """Three images with masks, for the reader `folder`."""
    values = np.random.default_rng(1)
    for name in ("a", "b", "c"):
        for folder, shape in (("images", (8, 8, 3)), ("masks", (8, 8))):
            (tmp_path / "raw" / folder).mkdir(parents=True, exist_ok=True)
            picture = values.integers(0, 2, shape, dtype=np.uint8) * 255
            Image.fromarray(picture).save(tmp_path / "raw" / folder / f"{name}.png")
    return tmp_path / "raw"


def found(root, known=None):
    return content_hash("folder", root, Layout(), known or {})


def touch(root):
    os.utime(root / "masks/a.png", (1, 1))


def stray(root):
    (root / "images/Thumbs.db").write_bytes(b"thumbnails")
    (root / "notes.txt").write_text("seen by two")


def stray_image(root):
    shutil.copy(root / "images/a.png", root / "a.png")


@pytest.mark.parametrize("change", [touch, stray, stray_image])
def test_what_the_reader_does_not_use_does_not_count(root, change):
    before = found(root)[0]
    change(root)
    assert found(root)[0] == before


def test_the_same_files_in_another_folder_are_the_same(root):
    before = found(root)[0]
    assert found(shutil.copytree(root, root.parent / "moved"))[0] == before


def corrected(root):
    shutil.copy(root / "masks/b.png", root / "masks/a.png")


def renamed(root):
    for folder in ("images", "masks"):
        (root / folder / "a.png").rename(root / folder / "d.png")


def added(root):
    for folder in ("images", "masks"):
        shutil.copy(root / folder / "a.png", root / folder / "d.png")


def unlabelled(root):
    (root / "masks/a.png").unlink()


def exchanged(root):
    (root / "masks/a.png").rename(root / "x.png")
    (root / "masks/b.png").rename(root / "masks/a.png")
    (root / "x.png").rename(root / "masks/b.png")


def grouped(root):
    (root / "samples.csv").write_text("sample,group\na,1\nb,1\nc,2\n")


@pytest.mark.parametrize("change", [corrected, renamed, added, unlabelled, exchanged, grouped])
@pytest.mark.parametrize("remembering", [False, True])
def test_what_the_reader_uses_counts(root, change, remembering):
    before, known = found(root)
    change(root)
    assert found(root, known if remembering else {})[0] != before


def test_a_file_is_read_again_only_if_its_size_or_time_has_changed(root, monkeypatch):
    read, real = [], raw_content.hash_of
    monkeypatch.setattr(raw_content, "hash_of", lambda path: read.append(path.name) or real(path))
    before, known = found(root)
    assert len(read) == 6
    read.clear()
    assert found(root, known) == (before, known) and not read
    touch(root)
    after, known = found(root, known)
    assert after == before and read == ["a.png"]
    (root / "masks/b.png").chmod(0o600)  # its entry changes, its content does not
    assert found(root, known)[0] == before and read == ["a.png", "b.png"]


def test_masks_of_one_size_and_time_that_exchange_their_names(root):
    """As the files of an archive, uncompressed."""
    for name in "abc":
        with Image.open(root / f"masks/{name}.png") as picture:
            picture.save(root / f"masks/{name}.bmp")
        (root / f"masks/{name}.png").unlink()
        os.utime(root / f"masks/{name}.bmp", (1.7e9, 1.7e9))
    before, known = found(root)
    looks = [listing(root), listing(root, changes=True)]
    (root / "masks/a.bmp").rename(root / "x")
    (root / "masks/b.bmp").rename(root / "masks/a.bmp")
    (root / "x").rename(root / "masks/b.bmp")
    assert listing(root) == looks[0] and listing(root, changes=True) != looks[1]
    assert found(root, known)[0] == found(root)[0] != before
