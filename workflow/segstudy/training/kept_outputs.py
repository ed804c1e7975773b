"""Published files of a training, kept until its cell is measured.

On a cluster the jobs of a cell are submitted as one. Where a later one of them fails, Snakemake deletes the outputs of
all, the finished training's too, and submits all of them again: the training then restores what it had published.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from segstudy.config import paths
from segstudy.core import checksums
from segstudy.core.errors import StudyError
from segstudy.core.removal import remove_tree

IDENTITY = "identity.json"


class KeptOutputs:
    """A folder with hard links to the published files of a training, and the identity of the training."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_training(cls, resume: Path) -> KeptOutputs:
        """Return the kept files of a training, given the folder of its resume state."""
        return cls(paths.published(resume))

    def save(self, outputs: Mapping[str, Path], identity: Mapping[str, Any]) -> None:
        """Keep published files; `identity` says which training wrote them. Hard links take no disk of their own."""
        self.remove()
        self.path.mkdir(parents=True)
        for name, path in outputs.items():
            kept = self.path / name
            for source, place in ((path, kept), (checksums.sum_of(path), checksums.sum_of(kept))):
                if not source.exists():
                    continue
                try:
                    os.link(source, place)
                except OSError:  # a file system without links
                    shutil.copy2(source, place)
        # Written last: with it the folder is complete.
        (self.path / IDENTITY).write_text(json.dumps(identity, sort_keys=True), encoding="utf-8")

    def restore(self, outputs: Mapping[str, Path], identity: Mapping[str, Any]) -> bool:
        """Copy the kept files back if they are complete and of the same identity; return whether they are."""
        try:
            kept = json.loads((self.path / IDENTITY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if kept != json.loads(json.dumps(identity)) or not all((self.path / name).exists() for name in outputs):
            return False
        try:
            contents = {name: checksums.content(self.path / name) for name in outputs}
        except StudyError:  # damaged: trained anew
            return False
        for name, path in outputs.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            checksums.unseal(path)
            path.unlink(missing_ok=True)  # it may still be the kept file itself
            path.write_bytes(contents[name])
            if (kept_sum := checksums.sum_of(self.path / name)).exists():
                shutil.copyfile(kept_sum, checksums.sum_of(path))
        return True

    def remove(self) -> None:
        """Delete the kept files: the cell is measured, or is trained anew."""
        with suppress(OSError):
            remove_tree(self.path)
