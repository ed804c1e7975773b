"""Run a row in a private copy of its base and say all that is wrong with how it ended."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from segstudy.core.checksums import content
from segstudy.core.errors import StudyError
from tests.bad_inputs.bases import copied
from tests.bad_inputs.row import Row
from tests.helpers import privileges
from tests.helpers.commands import Commands, Outcome

# What a run keeps for itself, and what tells of it: no results.
OWN = ("logs", "benchmarks", "resume", "partial")
# Python's own, and that of Snakemake, which leaves its first line out.
TRACEBACK = re.compile(r"Traceback \(most recent call last\)|^\s*File \"[^\"]+\", line \d+, in \w", re.MULTILINE)


def problems(row: Row, base: Path, folder: Path, commands: Commands) -> list[str]:
    """Run `row` in `folder`, which must not exist yet and is gone afterwards; return what is wrong, one line each."""
    if row.unprivileged and not privileges.possible():
        pytest.skip("run by root, who does not get rid of the right to read and write everything")
    copied(base, folder)
    try:
        row.setup(folder)
        before = _files(folder)
        outcome = commands.run(row.command, folder, unprivileged=row.unprivileged)
        return _wrong(row, folder, before, outcome)
    finally:
        if row.unprivileged:
            _open(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _open(folder: Path) -> None:
    """Permit everything again, from the top down: what is closed cannot be removed."""
    folder.chmod(0o755)
    for above, names, _ in os.walk(folder):
        for path in (Path(above, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o755)


def _wrong(row: Row, folder: Path, before: Mapping[str, str], outcome: Outcome) -> list[str]:
    said = folded(outcome.text)
    after = _files(folder)
    done, failed = _outputs(outcome.text)
    results = {path for path in before if _is_result(path, row) and not _among(path, done | failed)}
    lines = [f"the exit code is {outcome.code}, not {row.code}"] if outcome.code != row.code else []
    lines += ["there is a traceback"] if TRACEBACK.search(outcome.text) else []
    lines += [f"the message does not say {words!r}" for words in row.words if folded(words) not in said]
    for path in row.kept:
        if not _below(path, before):
            lines.append(f"{path} is to be kept, and was not there before")
    kept = {name for path in row.kept for name in _below(path, before)}
    for path in sorted({*results, *kept}):
        if path not in after:
            lines.append(f"{path} is lost")
        elif after[path] != before[path]:
            lines.append(f"{path} has changed")
    lines += [f"{path} is there" for path in row.absent if (folder / path).exists() or (folder / path).is_symlink()]
    lines += [f"{path} is half-written" for path in after if ".partial" in path and path not in before]
    lines += [f"{path} is left of a job that failed" for path in after if _among(path, failed)]
    lines += [f"{path} is lost, its job succeeded" for path in done if not (folder / path).exists()]
    lines += _broken(folder, [path for path in after if _among(path, done) and after[path] != before.get(path)])
    return [*lines, outcome.text] if lines else []


def _outputs(text: str) -> tuple[set[str], set[str]]:
    """Return the outputs of the jobs that were started: of those that succeeded, and of those that did not."""
    finished = set(re.findall(r"(?m)^Finished jobid: (\d+)", text))
    temporary = set(re.findall(r"(?m)^Removing temporary output (.*)\.$", text))
    done: set[str] = set()
    failed: set[str] = set()
    for block in re.findall(r"(?m)^(?:local)?rule \w+:\n((?:    .*\n)+)", text):
        numbers = set(re.findall(r"(?m)^    jobid: (\d+)$", block))
        listed = re.findall(r"(?m)^    output: (.*)$", block)
        outputs = {path.strip() for line in listed for path in line.split(", ")} - temporary
        (done if finished & numbers else failed).update(outputs)
    return done, failed


def _among(path: str, outputs: set[str]) -> bool:
    """Return whether a file is one of these outputs, or lies in one."""
    return any(path == output or path.startswith(f"{output}/") for output in outputs)


def _broken(folder: Path, written: list[str]) -> list[str]:
    """Return which of the files that were written are not what their checksums say."""
    lines = []
    for path in written:
        try:
            content(folder / path)
        except StudyError as error:
            lines.append(f"{path} was written, and {error.what}")
    return lines


def folded(text: str) -> str:
    """Return text with every run of white space as one space: messages are wrapped at any place."""
    return re.sub(r"\s+", " ", text)


def _is_result(path: str, row: Row) -> bool:
    """Return whether a file is a finished result that the row says nothing else of."""
    parts = path.split("/")
    return (
        parts[0] == "results"
        and not (len(parts) > 2 and parts[2] in OWN)
        and not any(path == other or path.startswith(f"{other}/") for other in (*row.absent, *row.rewritten))
    )


def _below(path: str, files: Mapping[str, str]) -> list[str]:
    return [name for name in files if name == path or name.startswith(f"{path}/")]


def _files(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a copy by its path; what is linked from the checkout does not count."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file() and not name.startswith(".snakemake/"):
            try:
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            except PermissionError:
                found[name] = "not to be read"
    return found
