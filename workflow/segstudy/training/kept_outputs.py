"""What a training has published, kept until its cell is measured.

On a cluster the jobs of a cell are submitted as one. Where a later one of them fails, Snakemake deletes the outputs of
all, the finished training's too, and sends all of them again: the training then takes up what it had published.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from segstudy.core import checksums
from segstudy.core.errors import StudyError
from segstudy.core.removal import remove_tree

IDENTITY = "identity.json"


def place(resume: Path) -> Path:
    """Return where the files of a training are kept, given the folder of its resume state."""
    return resume.with_name(f"{resume.name}.published")


def keep(folder: Path, outputs: Mapping[str, Path], identity: Mapping[str, Any]) -> None:
    """Keep the published files of a training; `identity` says which training it is. They take no disk of their own."""
    forget(folder)
    folder.mkdir(parents=True)
    for name, path in outputs.items():
        for source, place in ((path, folder / name), (checksums.sum_of(path), checksums.sum_of(folder / name))):
            if not source.exists():
                continue
            try:
                os.link(source, place)
            except OSError:  # a file system without links
                shutil.copy2(source, place)
    (folder / IDENTITY).write_text(json.dumps(identity, sort_keys=True), encoding="utf-8")  # last: now it is whole


def restore(folder: Path, outputs: Mapping[str, Path], identity: Mapping[str, Any]) -> bool:
    """Put kept files in their places again if they are whole and those of this very training; return whether."""
    try:
        found = json.loads((folder / IDENTITY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if found != json.loads(json.dumps(identity)) or not all((folder / name).exists() for name in outputs):
        return False
    try:
        contents = {path: checksums.content(folder / name) for name, path in outputs.items()}
    except StudyError:  # damaged: trained anew
        return False
    for name, path in outputs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        checksums.unseal(path)
        path.unlink(missing_ok=True)  # it may still be the kept file itself
        path.write_bytes(contents[path])
        if checksums.sum_of(folder / name).exists():
            shutil.copyfile(checksums.sum_of(folder / name), checksums.sum_of(path))
    return True


def forget(folder: Path) -> None:
    """Take the kept files away: the cell is measured, or is trained anew."""
    with suppress(OSError):
        remove_tree(folder)


def of_counts(counts: Path) -> Path:
    """Return where the files of the training behind a cell's `counts.csv` are kept."""
    cell = counts.parent
    results = cell.parents[5]
    return place(results / "resume" / cell.relative_to(results / "cells"))
