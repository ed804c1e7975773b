"""Limits of a study: number of cells, length of names, crops no larger than the canvas."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from segstudy.config import dependencies
from segstudy.config.base import MOST_CELLS
from segstudy.config.datasets import DatasetConfig
from segstudy.config.plan_file import PlanMissing
from segstudy.config.study import Study
from segstudy.config.validation_errors import place
from segstudy.core.errors import StudyError

LONGEST_CELL = 200  # characters of a cell's names together: some executors make one file name of them
LONGEST_PATH = 4000  # bytes of a path, of the 4096 that Linux takes
BELOW_RESULTS = 500  # bytes that the longest names below a study's folder take


def check_limits(study: Study, files: Sequence[Path]) -> None:
    """Check that a study is not too large, and that its names can be those of files.

    Raises:
        StudyError: naming the key.
    """
    listed = sum(len(experiment.cells) for experiment in study.experiments.values())
    if listed > MOST_CELLS and len(study.cells) > MOST_CELLS:
        raise StudyError(
            f"the experiments have {len(study.cells):,} cells",
            where=place(("experiments",), files),
            allowed=f"{MOST_CELLS:,} cells in a study",
            remedy="split it into several studies",
        )
    for section in ("datasets", "models", "losses", "recipes", "experiments"):
        _check_case(section, getattr(study, section), files)
    for cell in study.cells:
        if len("".join(cell[:4])) > LONGEST_CELL:
            raise StudyError(
                f"the names of a cell have {len(''.join(cell[:4]))} characters together: {', '.join(cell[:4])}",
                where=place(("experiments",), files),
                allowed=f"{LONGEST_CELL} characters of data set, model, loss and recipe together",
                remedy="use shorter names",
            )
    folder = len(os.fsencode(Path.cwd() / "results" / study.study))
    if folder + BELOW_RESULTS > LONGEST_PATH:
        raise StudyError(
            f"the path of the results folder is too long: {folder} bytes",
            where=Path.cwd(),
            remedy="work in a folder with a shorter path, or shorten the name of the study",
        )


def _check_case(section: str, names: Iterable[str], files: Sequence[Path]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise StudyError(
                f"{section} '{other}' and '{name}' differ in case only: on some disks their files would be the same",
                where=place((section, name), files),
                remedy="give one of them another name",
            )


def check_crops(study: Study, files: Sequence[Path]) -> None:
    """Check that no training crop is larger than the canvas of its data set, where the config tells its size.

    Raises:
        StudyError: naming the key.
    """
    for dataset, name in dependencies.trained_recipes(study):
        try:
            crop, canvas = study.settled_recipe(dataset, name).crop, _canvas(study.dataset(dataset))
        except PlanMissing:  # which fits one to the other
            continue
        if crop is None or canvas is None or (crop[0] <= canvas[0] and crop[1] <= canvas[1]):
            continue
        in_dataset = "crop" in study.datasets[dataset].training
        planned = [key for key in ("size", "crop") if key in dependencies.planned_keys(study)[dataset]]
        written = ("datasets", dataset, "training", "crop") if in_dataset else ("recipes", name, "crop")
        raise StudyError(
            f"the crops of recipe '{name}' are larger than the images of {dataset}: {list(crop)}, [height, width]",
            where=study.plan_path(dataset) if planned else place(written, files),
            allowed=f"at most {list(canvas)}, the canvas of {dataset}",
            remedy=f"set a smaller crop (for {dataset} alone: under its 'training:') or a larger size",
        )


def _canvas(options: DatasetConfig) -> tuple[int, int] | None:
    """Return [height, width] that no canvas of a data set exceeds; None where its images decide."""
    size = options.size
    if not isinstance(size, str):
        if size.height is not None and size.width is not None:
            return size.height, size.width
        side = size.long_side or 0
        return side, side
    return None
