"""Checksums beside the files that later jobs read: a file that was cut or changed is detected.

The checksum of `counts.csv` is `.counts.csv.sum` in the same folder: one JSON line with `bytes`, `sha256` and, for a
table, `rows`. A folder that one job writes as a whole (a store, masks, probabilities) has one such file beside it, with
an entry for each of its files. Each names, as `place`, where in the results of a study its file was written, so that
a file that was copied with its checksum into the place of another cell, data set or split is noticed. A file without a
checksum is read without a check: it was made by an earlier version, or copied without hidden files.

A checksum is removed before its file is replaced and written after it: a job killed in between leaves a file without a
checksum, never with a wrong one. No pandas, no numpy: planning a study uses this module.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import time
from pathlib import Path
from typing import Any

from segstudy.core.errors import StudyError

FOLDERS = ("store", "masks", "probabilities")  # outputs that are whole folders
ROOT = "results"


def sum_of(path: str | Path) -> Path:
    """Return the path of the checksum of a file or folder."""
    path = Path(path)
    return path.with_name(f".{path.name}.sum")


def unseal(path: str | Path) -> None:
    """Remove the checksum of a file or folder that is about to be replaced."""
    sum_of(path).unlink(missing_ok=True)


def seal(path: str | Path, rows: int | None = None) -> None:
    """Write the checksum of a file; for a table with its number of `rows`."""
    path = Path(path)
    _write(path, _entry(path) | ({} if rows is None else {"rows": rows}))


def seal_folder(path: str | Path) -> None:
    """Write the checksum of all files in a folder."""
    folder = Path(path)
    entries = {}
    for file in sorted(item for item in folder.rglob("*") if item.is_file() and not item.name.startswith(".")):
        entries[file.relative_to(folder).as_posix()] = _entry(file)
    _write(folder, {"files": entries})


def content(path: str | Path) -> bytes:
    """Return the bytes of a file, checked against its checksum if it has one.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is not what was written, or cannot be read.
    """
    path = Path(path)
    for last in (False, True):  # once more: the file may have been replaced between its two readings
        try:
            data, expected = path.read_bytes(), _expected(path)
        except (IsADirectoryError, NotADirectoryError):
            raise damaged(path, "there is a folder in the place of the file") from None
        except PermissionError:
            remedy = "check the owner and mode of it and of the folders above it"
            raise StudyError(f"no permission to read {path.name}", where=path, remedy=remedy) from None
        problem = _difference(data, expected)
        if not problem:
            return data
        if not last:
            time.sleep(0.2)
    raise damaged(path, problem, changed=True)


def check_size(path: str | Path) -> None:
    """Check the size of a file against its checksum, if it has one, without reading the file.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it has another size, or is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise damaged(path, "there is a folder in the place of the file")
    size, expected = path.stat().st_size, _expected(path)
    if expected is not None and size != expected.get("bytes", size):
        raise damaged(path, f"the file has {size:,} bytes, {expected['bytes']:,} were written", changed=True)


def check_digest(path: str | Path, digest: str) -> str:
    """Check the SHA-256 of a large file, computed elsewhere, against its checksum; return it.

    Raises:
        StudyError: it is another one.
    """
    expected = (_expected(Path(path)) or {}).get("sha256", digest)
    if digest != expected:
        raise damaged(path, "its content is not what was written (another checksum)", changed=True)
    return digest


def damaged(path: str | Path, problem: str, changed: bool = False, moved: bool = False) -> StudyError:
    """Return the error of a damaged file, with the command that makes it again.

    Args:
        changed: whether it differs from its checksum, so that somebody may have changed it on purpose.
        moved: whether it was written in another place, so that the files beside it may have been, too.
    """
    path = Path(path)
    checksum = next((place for place in (sum_of(path), sum_of(path.parent)) if place.exists()), None)
    remedy = remake(path)
    if moved:
        remedy += "; where its whole folder was copied: delete what was copied and run the study again"
    if (changed or moved) and checksum:
        action = "put here" if moved else "changed"
        remedy += f"\n           a file that you {action} on purpose is taken as it is once {checksum} is deleted"
    return StudyError(f"{path.name} is damaged: {problem}", where=path, remedy=remedy)


def remake(path: str | Path) -> str:
    """Return the command that makes a result again: a file, or a folder that is one output."""
    path = Path(path)
    target = path.parent if path.parent.name in FOLDERS else path
    if ROOT not in target.parts:
        return "copy it again from where it came, or run the job that makes it again"
    target = Path(*target.parts[target.parts.index(ROOT) :])
    config = os.environ.get("SEGSTUDY_CONFIG")
    words = f"snakemake --cores 1 {config or ''} --force -- {shlex.quote(str(target))}"
    unknown = " (with the --configfile of the study, if it has one)" if config is None else ""
    return f"make it again: {' '.join(words.split())}{unknown}"


def _entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _write(path: Path, entry: dict[str, Any]) -> None:
    checksum = sum_of(path)
    temporary = checksum.with_name(f"{checksum.name}.{os.getpid()}.partial")
    below = path.parts[path.parts.index(ROOT) + 2 :] if ROOT in path.parts else ()  # results/<study>
    entry |= {"place": "/".join(below)} if below else {}
    try:
        temporary.write_text(json.dumps(entry, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(temporary, checksum)
    finally:
        temporary.unlink(missing_ok=True)


def _expected(path: Path) -> dict[str, Any] | None:
    """Return the checksum of a file: its own, else its entry in that of its folder; None if there is none.

    Raises:
        StudyError: it was written in another place of a study.
    """
    entry = _read(sum_of(path))
    if entry is not None:
        _check_place(path, path, entry)
    else:
        whole = _read(sum_of(path.parent)) or {}
        _check_place(path, path.parent, whole)
        files = whole.get("files")
        entry = files.get(path.name) if isinstance(files, dict) else None
    return entry if isinstance(entry, dict) and isinstance(entry.get("bytes"), int) else None


def _check_place(path: Path, sealed: Path, entry: dict[str, Any]) -> None:
    """Stop where `sealed`, the file at `path` or its folder, was written in the place of another one.

    The name of the study does not count, so that studies may be renamed; neither does a place outside of any study's
    results, where a cell's folder may be copied to.
    """
    written = entry.get("place")
    if not isinstance(written, str):
        return
    parts, names = Path(os.path.abspath(sealed)).parts, tuple(written.split("/"))
    here = [
        parts[start:]
        for start, part in enumerate(parts)
        if part == names[0] and (parts[start - 2] == ROOT or len(parts) - start == len(names))
    ]
    if here and names not in here:
        what, place = "it" if sealed == path else "its folder", "/".join(here[-1])
        raise damaged(path, f"{what} was written as {written} and lies in the place of {place}", moved=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) else None


def _difference(data: bytes, expected: dict[str, Any] | None) -> str:
    """Return how `data` differs from what was written, '' if it does not."""
    if expected is None:
        return ""
    rows = expected.get("rows")
    actual = f"{len(data):,} bytes"
    written = f"{expected['bytes']:,} bytes"
    if rows is not None:
        lines = data.count(b"\n")  # a row that was cut in the middle has no end
        actual += f" in {max(0, lines - 1):,} whole rows"
        written += f" in {rows:,} rows"
    if len(data) != expected["bytes"]:
        return f"the file has {actual}, {written} were written"
    if "sha256" in expected and hashlib.sha256(data).hexdigest() != expected["sha256"]:
        return f"its {len(data):,} bytes are not those that were written (another checksum)"
    return ""
