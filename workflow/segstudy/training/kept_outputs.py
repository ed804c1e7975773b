"""Published files of a training, kept so that nothing is trained twice.

They are hard links, in two places. Beside the resume state of a cell, until it is measured: on a cluster the jobs of a
cell are submitted as one, and where a later one fails, Snakemake deletes the outputs of all. And in one folder for all
studies, for good: the same training is asked for again where an index or a split was made again with the same content,
where a study got another name, or where a recipe is what it once was.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from segstudy.config import paths
from segstudy.core import checksums, files
from segstudy.core.errors import StudyError, first_line
from segstudy.core.removal import remove_tree

IDENTITY = "identity.json"
FIRST = "trained_as"  # in run.json: the command of the cell that was trained, where another one took it over

logger = logging.getLogger("segstudy")


class KeptOutputs:
    """A folder with hard links to the published files of a training, and the identity of the training."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_training(cls, resume: Path) -> KeptOutputs:
        """Return the files that are kept until a cell is measured, given the folder of its resume state."""
        return cls(paths.published(resume))

    @classmethod
    def of_identity(cls, above: Path, identity: Mapping[str, Any]) -> KeptOutputs:
        """Return the files that are kept for good below `above`, in a folder named by a hash of the identity."""
        text = json.dumps(identity, sort_keys=True)
        return cls(above / hashlib.sha256(text.encode()).hexdigest()[:32])

    def save(self, outputs: Mapping[str, Path], identity: Mapping[str, Any]) -> None:
        """Keep published files; `identity` says which training wrote them. Hard links take no disk of their own.

        Where the disk has no hard links, they are copied. Where that fails too, nothing is kept, and the log says so.
        """
        try:
            with files.atomic_folder(self.path) as folder:
                copied = sum(_link(path, folder / name) for name, path in outputs.items())
                (folder / IDENTITY).write_text(json.dumps(identity, sort_keys=True), encoding="utf-8")
        except OSError as error:
            logger.warning("the trained files are not kept in %s (%s): such a cell is trained again", self.path, error)
        else:
            if copied:
                logger.info("no hard links to %s: %.1f MB are copied to be kept", self.path, copied / 1e6)

    def restore(self, outputs: Mapping[str, Path], identity: Mapping[str, Any]) -> bool:
        """Copy the kept files back if they are complete and of the same identity; return whether they are.

        They are copies, not links: files of two cells that were one on the disk would have one time of change.
        """
        try:
            kept = json.loads((self.path / IDENTITY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if kept != json.loads(json.dumps(identity)):
            return False
        try:
            contents = {name: _checked(self.path / name) for name in outputs}
        except (StudyError, OSError) as error:
            logger.warning("trained before, but what was kept of it is damaged: trained again (%s)", first_line(error))
            return False
        for name, path in outputs.items():
            with files.atomic_path(path) as temporary:
                temporary.write_bytes(contents[name])
            shutil.copyfile(checksums.sum_of(self.path / name), checksums.sum_of(path))
        return True

    def take_over(self, outputs: Mapping[str, Path], identity: Mapping[str, Any], command: str) -> bool:
        """Publish the kept files as those of this cell, whose `command` run.json names; return whether there are any.

        The files that were published last are kept from now on: they take no disk of their own.
        """
        if not self.restore(outputs, identity):
            return False
        record = files.read_json(outputs["run"], ("command",))
        first = record.pop(FIRST, record["command"])
        if command != record["command"]:
            origin = {FIRST: first} if first != command else {}
            files.write_json(outputs["run"], record | {"command": command} | origin)
        self.save(outputs, identity)
        return True

    def remove(self) -> None:
        """Delete the kept files: the cell is measured, or is trained anew."""
        with suppress(OSError):
            remove_tree(self.path)


def _link(path: Path, kept: Path) -> int:
    """Link a file and its checksum, or copy them; return the bytes that were copied."""
    copied = 0
    for source, place in ((path, kept), (checksums.sum_of(path), checksums.sum_of(kept))):
        if not source.exists():
            continue
        try:
            os.link(source, place)
        except OSError:  # a file system without links, or another disk
            shutil.copy2(source, place)
            copied += place.stat().st_size
    return copied


def _checked(path: Path) -> bytes:
    """Return the bytes of a kept file, which are not believed without a checksum."""
    if not checksums.sum_of(path).exists():
        raise StudyError(f"{path.name} has no checksum", where=path)
    return checksums.content(path)
