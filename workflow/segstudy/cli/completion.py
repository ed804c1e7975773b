"""Shell completion of names in the config and in results; an invalid config completes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from segstudy.cli.config_files import open_study
from segstudy.config import paths

if TYPE_CHECKING:
    from segstudy.config.study import Study


def datasets(context: typer.Context, incomplete: str) -> list[str]:
    """Return data sets of the config."""
    study = _study(context)
    return _beginning(study.datasets if study else [], incomplete)


def experiments(context: typer.Context, incomplete: str) -> list[str]:
    """Return experiments of the study."""
    study = _study(context)
    return _beginning(study.experiments if study else [], incomplete)


def trained(incomplete: str) -> list[str]:
    """Return the folders of all cells that have results here, of any study."""
    folders = [str(path.parent) for path in sorted(paths.RESULTS.glob(f"*/{paths.anywhere(paths.CELL)}/run.json"))]
    return _beginning(folders, incomplete)


def rows(context: typer.Context, incomplete: str) -> list[str]:
    """Return the rows of the study's tables, and cells."""
    study = _study(context)
    paths = [cell.path for cell in study.cells] if study else []
    named = dict.fromkeys(path.rpartition("/")[0] for path in paths)
    return [*_beginning([*named, *paths], incomplete), *trained(incomplete)]


def _study(context: typer.Context) -> Study | None:
    """Return the study of the config files that the line names so far."""
    typed = [Path(file) for file in context.params.get("files") or []]
    try:
        return open_study(typed, anywhere=True)[0]
    except Exception:  # a message would land in the middle of the line that is being typed
        return None


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
