"""The state of a raw data folder, so that Snakemake sees a file that was added, removed or replaced.

What counts is what a reader makes of the folder: a file that it does not use, another time of a file and another place
of the folder redo nothing. No pandas: a study whose folders look as they did is planned without reading them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from segstudy.core.errors import StudyError


def check_triggers(triggers: Collection[str]) -> None:
    """Check that Snakemake looks at the parameters of jobs, which is where it sees raw files, settings and code.

    Args:
        triggers: names of what makes Snakemake run a job again (`--rerun-triggers`).

    Raises:
        StudyError: parameters are not among them.
    """
    if "params" not in triggers:
        raise StudyError(
            "without the trigger 'params' Snakemake sees no changed image, mask, setting or code: "
            "it would call results done that are out of date",
            where=f"--rerun-triggers {' '.join(sorted(triggers))}",
            allowed="triggers with params among them; by default all count",
            remedy="leave --rerun-triggers out. Where -n lists trainings that you think are done: one with the same "
            "data, settings and code as before is taken over in seconds, which -n cannot know",
        )


@cache
def raw_folder(root: Path, drawn: str = "") -> str:
    """Return a hash of every file name, size and modification time below `root`.

    For a data set that segstudy draws itself, `drawn` is the resolved setting it is drawn from: as long as the
    folder is absent or exactly as it was drawn, the hash depends on that setting alone, so that it is the same
    before and after the drawing; once somebody has changed a file there, it is the hash of what lies there.
    """
    files = listing(root)
    if drawn:
        manifest = root / "phantom.json"
        if not manifest.exists() or _as_drawn(manifest) == files:
            return hashlib.sha256(drawn.encode()).hexdigest()[:16]
    return _hash(files)


def _hash(files: list[list[str | int]]) -> str:
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def raw_content(root: Path, memory: Path, version: str, read: Callable[[Mapping[str, Any]], tuple[str, Any]]) -> str:
    """Return a hash of what is read of the raw files below `root`, whatever their times and whatever else lies there.

    Args:
        memory: JSON file below the results, by which nothing is read again while the folder looks as before.
        version: of the code that reads.
        read: what it remembers of the last time -> hash of the content, and what to remember of it. Where it fails,
            the hash is that of all files that lie there: the job that reads them will say why.
    """
    looks, last = [_hash(listing(root, changes=True)), version], _remembered(memory)
    if last.get("state") == looks:
        return str(last["content"])
    try:
        found, files = read(last.get("files", {}))
    except Exception:  # whatever is wrong with the folder, rule index meets it too, and says it
        return raw_folder(root)
    with suppress(OSError):  # results that may not be written: it is read again the next time
        _write(memory, {"state": looks, "content": found, "files": files})
    return found


def _remembered(memory: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(memory.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _write(memory: Path, value: Mapping[str, Any]) -> None:
    """Write the memory at once: several processes may plan at a time."""
    memory.parent.mkdir(parents=True, exist_ok=True)
    temporary = memory.with_name(f".{memory.name}.{os.getpid()}.partial")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    os.replace(temporary, memory)


def _as_drawn(manifest: Path) -> Any:
    """Return the files that a manifest names; None where it is damaged, as if somebody had changed the folder."""
    try:
        return json.loads(manifest.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def listing(root: Path, changes: bool = False) -> list[list[str | int]]:
    """Return [relative path, bytes, modification time in ns] of every file below `root`, sorted.

    With `changes`, the time of the last change of the file's entry as well: it tells that files have exchanged their
    names, where all are of one size and, from an archive, of one modification time.

    Hidden files and the manifest of a drawn data set do not count. Links are followed, but not in a circle. A file that
    cannot be looked at (a link to nothing, a folder without permission) counts with -1 bytes: what reads it says so.
    """
    files: list[list[str | int]] = []
    # The real path of each folder, and of those above it as they were reached.
    real: dict[str, tuple[str, ...]] = {str(root): (os.path.realpath(root),)}
    for folder, subfolders, names in os.walk(root, followlinks=True):
        above = real.pop(folder)
        for name in sorted(subfolders):
            path, below = os.path.join(folder, name), os.path.join(above[-1], name)
            below = os.path.realpath(path) if os.path.islink(path) else below
            if below in above:
                subfolders.remove(name)
            else:
                real[path] = (*above, below)
        for name in names:
            path = os.path.join(folder, name)
            if name == "phantom.json" or name.startswith("."):
                continue
            try:
                status = os.stat(path)
                state = [status.st_size, status.st_mtime_ns, *([status.st_ctime_ns] if changes else [])]
            except OSError:
                state = [-1, 0]
            files.append([Path(path).relative_to(root).as_posix(), *state])
    return sorted(files)
