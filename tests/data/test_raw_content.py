"""Raw data count as changed when, and only when, what the reader makes of them has changed."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from segstudy.config.layout import Layout
from segstudy.data import raw_content
from segstudy.data.raw_content import content_hash


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
    assert found(root, known)[0] == before and read == ["a.png"]
