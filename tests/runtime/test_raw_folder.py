"""A raw folder counts as changed when, and only when, a file of it has changed."""

import json

from segstudy.runtime.raw_folder import listing, raw_folder


def folder_hash(*arguments):
    raw_folder.cache_clear()
    return raw_folder(*arguments)


def test_a_raw_folder_changes_with_every_file(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"1")
    hashes = [folder_hash(tmp_path)]
    (tmp_path / "a" / "2.png").write_bytes(b"2")
    hashes.append(folder_hash(tmp_path))
    (tmp_path / "a" / "2.png").write_bytes(b"22")
    hashes.append(folder_hash(tmp_path))
    (tmp_path / "a" / "2.png").unlink()
    assert len(set(hashes)) == 3
    assert folder_hash(tmp_path) == hashes[0]


def test_a_drawn_folder_counts_only_once_somebody_changed_it(tmp_path):
    root = tmp_path / "drawn"
    absent = folder_hash(root, "settings")
    root.mkdir()
    (root / "1.png").write_bytes(b"1")
    (root / "phantom.json").write_text(json.dumps({"files": listing(root)}))
    assert folder_hash(root, "settings") == absent
    assert folder_hash(root, "other settings") != absent
    (root / "1.png").write_bytes(b"changed")
    assert folder_hash(root, "settings") != absent
