"""Measurings of trained cells on other images than their own: external test sets, corrupted test images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.config.study import Study
from segstudy.study import external
from segstudy.study.reasons import OF_DATA, first_problem

EXTERNAL, CORRUPTED = "external test sets", "corrupted images"


class Measuring(NamedTuple):
    """A cell on an external test set, or on its own test images corrupted."""

    kind: str  # EXTERNAL or CORRUPTED
    cell: Cell
    test_set: str  # '' of corrupted images
    done: bool
    problem: str  # why it has failed

    @property
    def words(self) -> str:
        """Return what is measured on what."""
        return f"{self.cell.path} on {self.test_set or CORRUPTED}"


def measurings(study: Study, results: Path) -> list[Measuring]:
    """Return every measuring of a study; one on an external test set is done when its mirrored views are, too."""
    found = []
    for cell, names in external.tested_on(study).items():
        for name in names:
            folder = results / paths.EXTERNAL.format(**cell._asdict(), external=name)
            folders = [folder, *([folder / paths.FLIPS] if study.evaluation.tta == "flips" else [])]
            logs = {rule: f"{cell.path}/on/{name}" for rule in ("measure_external", "measure_external_flips")}
            logs["check_external"] = f"{cell.dataset}/seed{cell.seed}/on/{name}"
            logs["check_external_chain"] = f"{cell.path}/on/{name}"
            logs |= dict.fromkeys(OF_DATA, name)
            found.append(_measuring(EXTERNAL, cell, name, [one / "counts.csv" for one in folders], logs, results))
    for cell in study.cells if study.evaluation.corruptions.levels else []:
        counts = paths.cell(results, cell) / paths.CORRUPTIONS
        found.append(_measuring(CORRUPTED, cell, "", [counts], {"measure_corrupted": cell.path}, results))
    return found


def _measuring(
    kind: str, cell: Cell, name: str, counts: Sequence[Path], logs: dict[str, str], results: Path
) -> Measuring:
    done = all(path.exists() for path in counts)
    said = "" if done else first_problem({rule: paths.log(results, rule, names) for rule, names in logs.items()})
    return Measuring(kind, cell, name, done, said)


def progress(found: Sequence[Measuring]) -> list[str]:
    """Return a line for each kind that a study has: how many are done, and why the first that failed did."""
    lines = []
    for kind in (EXTERNAL, CORRUPTED):
        of_kind = [item for item in found if item.kind == kind]
        failed = [item for item in of_kind if item.problem]
        if of_kind:
            lines.append(f"{kind}: {sum(item.done for item in of_kind)} of {len(of_kind)} measured")
        if failed:
            others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            lines.append(f"failed: {failed[0].words}{others}: {failed[0].problem}")
    return lines
