"""`segstudy clean`: free disk space; what goes is listed first."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from segstudy.cli.config_files import Files, open_study
from segstudy.config import paths
from segstudy.core.errors import StudyError
from segstudy.core.terminal_text import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.table import Table

    from segstudy.config.study import Study
    from segstudy.study.cleanup import Leftover

LISTED = 3  # paths of each kind, without --paths


class Kind(StrEnum):
    """Kinds of files that can be removed; `segstudy.study.cleanup` finds them."""

    resume, predictions, partial, cells, phantoms = "resume", "predictions", "partial", "cells", "phantoms"
    half_written, trained, logs = "half-written", "trained", "logs"


def clean(
    files: Files = None,
    only: Annotated[
        list[Kind] | None, typer.Option(metavar="KIND", help=f"Only this kind: {', '.join(Kind)}. May be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="List what can be removed; remove nothing.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask. Cells are then removed only with --only cells.")
    ] = False,
    paths: Annotated[
        bool, typer.Option("--paths", help=f"List every path, not only the first {LISTED} of each kind.")
    ] = False,
) -> None:
    """Free disk space: list what is no longer needed, ask, and remove it. Results and raw data always stay.

    Nothing is removed while Snakemake or a training runs here. Symbolic links below results/STUDY are not followed;
    results/STUDY itself may be one, for instance to another disk.
    """
    from segstudy.cli.console import console
    from segstudy.study.cleanup import behind_links, check_idle, leftovers, remove, roots

    study, results = open_study(files)
    if not dry_run:
        check_idle(study, results)
    kinds = list(only or Kind)
    if not only:
        kinds.remove(Kind.trained)
        _tell_of_trained(study, results)
    if yes and not only:  # hours of training are not to go because a config file was forgotten
        kinds.remove(Kind.cells)
    removable = leftovers(study, results, [kind.value for kind in kinds])
    for root in roots(study, results):
        if root.is_symlink() and any(item.root == root for item in removable):
            say(f"{root} is a link; what is removed lies in {root.resolve()}")
    for link, number in behind_links(study, results, [kind.value for kind in kinds]).items():
        say(f"{link} is a link: it is not followed, and {number} files and folders behind it stay")
    if not removable:
        say(f"study '{study.study}' has nothing to remove")
        return
    console().print(_table(removable, paths))
    if dry_run:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise StudyError(
                "removing needs your confirmation, and this is not a terminal",
                remedy="look at the list with --dry-run, then give --yes",
            )
        if not typer.confirm("Remove all of this?"):
            say("nothing was removed")
            return
        check_idle(study, results)  # a moment may have passed
    remove(removable)
    say(f"removed: {_size(sum(item.size for item in removable))}")


def _tell_of_trained(study: Study, results: Path) -> None:
    """Say what the kept files of trainings take: being hours of training, they go only where they are named."""
    from segstudy.study.cleanup import leftovers

    if kept := leftovers(study, results, [Kind.trained.value]):
        say(
            f"{paths.TRAINED} keeps the files of {len(kept)} trainings of all studies here, "
            f"{_size(sum(item.size for item in kept))} of them nowhere else: --only {Kind.trained.value} removes them"
        )


def _table(removable: Sequence[Leftover], every: bool) -> Table:
    from rich import box
    from rich.table import Table

    from segstudy.study.cleanup import KINDS

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_footer=True)
    table.add_column("kind", "all", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("number", str(len(removable)), justify="right", no_wrap=True)
    table.add_column("size", _size(sum(item.size for item in removable)), justify="right", no_wrap=True)
    for kind, (words, _) in KINDS.items():
        items = [item for item in removable if item.kind == kind]
        if items:
            listed = items if every else items[:LISTED]
            lines = [words, *(f"  {item.path}" for item in listed)]
            lines += [f"  ... and {len(items) - len(listed)} more"] if len(items) > len(listed) else []
            table.add_row(kind, "\n".join(lines), str(len(items)), _size(sum(item.size for item in items)))
    return table


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
