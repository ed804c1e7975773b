"""`segstudy check-config`: read a config as Snakemake would, and print what the study contains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segstudy.cli.config_files import Files, open_study, study_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from segstudy.config.study import Study


def check_config(files: Files = None) -> None:
    """Check the config files of a study and print what it contains. Nothing is run.

    Problems are listed all at once, each with file, line and key; the exit code is then 1. A data set whose folder is
    missing is marked, but it is not a problem of the config: the exit code stays 0.
    """
    from segstudy.cli.console import console
    from segstudy.config import dependencies
    from segstudy.models.library_check import check_networks
    from segstudy.study.plan_view import sight_warnings

    study, results = open_study(files, anywhere=True)
    check_networks(study, study_files(files))
    terminal = console()
    names = ", ".join(map(str, study_files(files)))
    terminal.print(f"Study {study.study}: the config is valid ({names}). Results: {results}/", soft_wrap=True)
    datasets = dependencies.used_datasets(study)
    terminal.print(_datasets(study, datasets))
    terminal.print(_experiments(study))
    ancestors = dependencies.ancestors(study)
    sources = f", and {len(ancestors)} cells that these start or learn from" if ancestors else ""
    terminal.print(f"{len(study.cells)} cells in all, each trained once{sources}. What they cost: segstudy plan")
    for warning in sight_warnings(study, results):
        terminal.print(f"Warning: {warning}.", soft_wrap=True)
    missing = [name for name in datasets if _drawn(study, name) == "" and not study.root(name).is_dir()]
    if missing:
        roots = " and ".join(f"datasets.{name}.root" for name in missing)
        terminal.print(f"Not found: {', '.join(missing)}. Set data_root or {roots}; the study stops there until then.")


def _drawn(study: Study, dataset: str) -> str:
    phantom = study.datasets[dataset].phantom
    return f"PHANTOM: {phantom.images} drawn images" if phantom else ""


def _datasets(study: Study, names: Iterable[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for head in ("data set", "reader", "split"):
        table.add_column(head, no_wrap=True)
    table.add_column("where", overflow="fold")
    for name in names:
        options, root = study.datasets[name], study.root(name)
        exists = root.is_dir()
        where = Text(_drawn(study, name) or f"{'found' if exists else 'NOT FOUND'}: {root}")
        where.stylize("" if exists or options.phantom else "red")
        table.add_row(name, options.reader, options.split.repeat, where)
    return table


def _experiments(study: Study) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("experiment", no_wrap=True)
    for head in ("cells", "rows", "seeds"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("question")
    for name, experiment in study.experiments.items():
        numbers = (len(experiment.cells), experiment.rows, len(experiment.seeds))
        table.add_row(name, *map(str, numbers), experiment.question)
    return table
