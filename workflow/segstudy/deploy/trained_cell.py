"""A trained cell and its records, found by its folder, its path below results or its model file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.core import files
from segstudy.core.checksums import damaged, remake
from segstudy.core.errors import StudyError
from segstudy.data.images.reading import Reading, parsed
from segstudy.deploy.cell_records import read_record
from segstudy.inference.out_of_distribution import CHANNELS

MODEL, RUN, USAGE, THRESHOLDS, COUNTS = "model.safetensors", "run.json", "usage.json", "thresholds.json", "counts.csv"


class CellFiles(NamedTuple):
    """The folder of a trained cell and the content of its records; weights are not read yet."""

    folder: Path
    run: dict[str, Any]
    usage: dict[str, Any]
    thresholds: dict[str, float | None]

    @property
    def model(self) -> Path:
        """The weights."""
        return self.folder / MODEL

    @property
    def cell(self) -> Cell:
        """Its names, the last parts of its path; the seed is the one it was trained with."""
        parts = self.folder.resolve().parts
        dataset, model, loss, recipe = (["?"] * 4 + list(parts[:-1]))[-4:]
        return Cell(dataset, model, loss, recipe, int(self.run["seed"]))

    @property
    def study(self) -> str:
        """Name of its study; empty where the folder no longer lies in one."""
        folder = self.folder.resolve()
        return paths.results_of_cell(folder).name if paths.in_study(folder) else ""

    @property
    def store(self) -> Path | None:
        """The store of its study, where it still lies there."""
        path = self._above(paths.STORE)
        return path if path and (path / "store.json").is_file() else None

    @property
    def split_check(self) -> dict[str, Any] | None:
        """The report of the check of its split, where its study still has it."""
        path = self._above(paths.SPLIT_CHECK)
        return files.read_json(path) if path and path.is_file() else None

    def _above(self, pattern: str) -> Path | None:
        return paths.of_cell(paths.results_of_cell(self.folder.resolve()), pattern, self.cell) if self.study else None

    @property
    def reading(self) -> Reading:
        """How it has read its images, but for their orientation, which new images have of their own."""
        return parsed(self.usage.get("reading", ""))._replace(upright=False)

    @property
    def several(self) -> bool:
        """Whether it has several foreground classes."""
        return len(self.usage["classes"]) > 2


def find_cell(name: str | Path, results: Path = paths.RESULTS) -> Path:
    """Return the folder of a cell.

    Args:
        name: its folder, its model file, or its path below `cells/` of the one study under `results` that has it.

    Raises:
        StudyError: there is no such cell, or several studies have one.
    """
    path = Path(name)
    if path.name == MODEL and path.is_file():
        return path.parent
    if (path / MODEL).is_file():
        return path
    pattern = f"*/{paths.CELLS}/{name}/{MODEL}"
    folders = [] if path.is_absolute() else sorted(model.parent for model in results.glob(pattern))
    if len(folders) == 1:
        return folders[0]
    if folders:
        raise StudyError(
            f"{len(folders)} studies have a cell '{name}'",
            where=", ".join(map(str, folders)),
            remedy="give the whole path",
        )
    raise StudyError(
        f"there is no trained cell '{name}'",
        allowed=f"the folder of a cell, its {MODEL}, or data set/network/loss/recipe/seed of one below {results}",
        remedy="look at `segstudy status`, or below results/<study>/cells for the cells that are trained",
    )


def open_cell(name: str | Path) -> CellFiles:
    """Find a cell and read its records.

    Raises:
        StudyError: there is no such cell, it makes no masks, or one of its files is missing or damaged.
    """
    folder = find_cell(name)
    records: dict[str, Any] = {}
    for file in (RUN, USAGE, THRESHOLDS):
        path = folder / file
        if not path.is_file():
            if file != RUN and records[RUN]["settings"]["recipe"].get("denoising"):
                raise StudyError("this cell removes noise: it makes no masks", where=folder)
            raise StudyError(
                f"the cell has no {file}",
                where=folder,
                allowed=f"a cell that was trained and predicted: {MODEL}, {RUN}, {USAGE} and {THRESHOLDS} together",
                remedy=f"copy the whole folder of the cell, or {remake(path)}",
            )
        records[file] = read_record(path)
    usage, thresholds = records[USAGE], records[THRESHOLDS]
    path = folder / THRESHOLDS
    if usage["headline"] not in thresholds:
        raise damaged(path, f"it has no threshold of the study's policy '{usage['headline']}'")
    if len(usage["classes"]) == 2 and None in thresholds.values():
        raise damaged(path, "a threshold is no number")
    _check_one_cell(folder, records[RUN], usage)
    return CellFiles(folder, records[RUN], usage, thresholds)


def check_belongs(cell: CellFiles, meta: Mapping[str, Any]) -> None:
    """Raise if the model file and usage.json of a cell's folder come from different cells.

    Raises:
        StudyError: channels or classes differ.
    """
    channels, classes = len(CHANNELS[cell.usage["colour"]]), len(cell.usage["classes"])
    for what, actual, expected in (
        ("channels", meta["in_channels"], channels),
        ("outputs", meta["outputs"], classes if cell.several else 1),
    ):
        if actual != expected:
            raise StudyError(
                f"model file and {USAGE} do not belong together: the network has {actual} {what}, and {USAGE} asks for "
                f"{expected}",
                where=cell.folder,
                remedy=remake(cell.folder / USAGE),
            )


def _check_one_cell(folder: Path, run: Mapping[str, Any], usage: Mapping[str, Any]) -> None:
    """Raise if usage.json and run.json come from different cells.

    Raises:
        StudyError: naming what differs.
    """
    trained = run.get("dataset")
    for key in ("reader", "canvas", "colour", "size"):
        if isinstance(trained, dict) and key in trained and trained[key] != usage[key]:
            problem = f"its {key} is {usage[key]!r}, the cell was trained with {trained[key]!r}"
            raise damaged(folder / USAGE, problem)


def chosen_threshold(cell: CellFiles, wanted: str | None) -> tuple[str, float | None]:
    """Return a policy and its threshold; for several classes `argmax`, which has none.

    Args:
        wanted: name of a policy that the study has chosen a threshold by, a number, or None: the study's headline.

    Raises:
        StudyError: there is no such policy, the number is no probability, or the cell needs no threshold.
    """
    if wanted is None:
        policy = str(cell.usage["headline"])
        return policy, cell.thresholds[policy]
    if cell.several:
        raise StudyError(
            f"threshold '{wanted}': the cell has {len(cell.usage['classes'])} classes, and a pixel gets the most "
            "probable one",
            remedy="leave the threshold out",
        )
    if wanted in cell.thresholds:
        return wanted, cell.thresholds[wanted]
    try:
        value = float(wanted)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise StudyError(
            f"'{wanted}' is no threshold of this cell",
            where=cell.folder / THRESHOLDS,
            allowed=f"a number above 0, up to 1, or {', '.join(cell.thresholds)}",
            remedy="name one of these, or add the policy to the study's evaluation.policies and run it again",
        )
    return "given", value
