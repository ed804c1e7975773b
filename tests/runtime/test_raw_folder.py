"""A raw folder counts as changed when, and only when, a file of it has changed."""

import json

import pytest

from segstudy.core.errors import StudyError
from segstudy.runtime.raw_folder import check_triggers, listing, raw_content, raw_folder


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


def test_what_is_read_is_remembered_until_the_folder_looks_different(tmp_path):
    root, memory, given = tmp_path / "raw", tmp_path / "memory/raw.json", []
    root.mkdir()
    (root / "1.png").write_bytes(b"1")

    def ask(version="1"):
        raw_folder.cache_clear()
        return raw_content(root, memory, version, lambda known: given.append(known) or ("content", {"1.png": 7}))

    assert ask() == ask() == "content"
    assert given == [{}]
    (root / "Thumbs.db").write_bytes(b"")
    assert ask() == "content" and given == [{}, {"1.png": 7}]
    assert ask("2") == "content" and len(given) == 3  # the code that reads is another
    (root / "1.png").chmod(0o600)
    assert ask("2") == "content" and len(given) == 4  # it may be another file of this name
    memory.write_text("{")
    assert ask("2") == "content" and given[4:] == [{}]


def test_what_cannot_be_read_is_the_state_of_its_files(tmp_path):
    """The job that reads the folder says what is wrong, and is asked again once a file has changed."""

    def refuse(known):
        raise StudyError("no images")

    (tmp_path / "1.png").write_bytes(b"1")
    memory = tmp_path.parent / f"{tmp_path.name}.json"
    assert raw_content(tmp_path, memory, "1", refuse) == folder_hash(tmp_path) and not memory.exists()


def test_results_that_cannot_be_written_only_cost_time(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/1.png").write_bytes(b"1")
    (tmp_path / "file").write_text("no folder")
    for _ in range(2):
        raw_folder.cache_clear()
        assert (
            raw_content(tmp_path / "raw", tmp_path / "file/raw.json", "1", lambda known: ("content", {})) == "content"
        )


def test_triggers_without_params_are_refused():
    check_triggers(["mtime", "params"])
    with pytest.raises(StudyError, match="sees no changed image"):
        check_triggers(["mtime"])
