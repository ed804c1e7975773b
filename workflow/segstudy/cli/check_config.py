"""Read a config as Snakemake would, and say what the study holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segstudy.cli.config_files import Files, chosen, opened, paper

if TYPE_CHECKING:
    from rich.table import Table

    from segstudy.config.study import Study


def check_config(files: Files = None) -> None:
    """Check a config without running anything: every problem at once, or what the study holds.

    A problem is shown as Snakemake shows it, and the exit code is 1. A data set that is not there is no problem of the
    config: it is marked, and the exit code is 0.
    """
    from segstudy.config import dependencies

    study, results = opened(files, anywhere=True)
    needed = dependencies.ancestors(study)
    console = paper()
    names = ", ".join(map(str, chosen(files)))
    console.print(f"Study {study.study}: the config is right ({names}). Results: {results}/", soft_wrap=True)
    console.print(_datasets(study))
    console.print(_experiments(study))
    sources = f", and {len(needed)} cells that these start or learn from" if needed else ""
    console.print(f"{len(study.cells)} cells in all, each trained once{sources}. What they cost: segstudy plan")
    lost = [
        name
        for name in dependencies.used_datasets(study)
        if _drawn(study, name) == "" and not study.root(name).is_dir()
    ]
    if lost:
        roots = " and ".join(f"datasets.{name}.root" for name in lost)
        console.print(f"Not found: {', '.join(lost)}. Set data_root or {roots}; the study stops there until then.")


def _drawn(study: Study, dataset: str) -> str:
    phantom = study.datasets[dataset].phantom
    return f"PHANTOM: {phantom.images} drawn images" if phantom else ""


def _datasets(study: Study) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from segstudy.config import dependencies

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for head in ("data set", "reader", "split"):
        table.add_column(head, no_wrap=True)
    table.add_column("where", overflow="fold")
    for name in dependencies.used_datasets(study):
        options, root = study.datasets[name], study.root(name)
        there = root.is_dir()
        where = Text(_drawn(study, name) or f"{'found' if there else 'NOT FOUND'}: {root}")
        where.stylize("" if there or options.phantom else "red")
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
