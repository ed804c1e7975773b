"""Free disk: what nothing needs any more, shown before it goes."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from segstudy.cli.config_files import Files, opened, paper
from segstudy.core.errors import StudyError
from segstudy.core.terminal_text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from segstudy.study.cleanup import Leftover

NAMED = 3  # paths of a kind that are shown


class Kind(StrEnum):
    """What can go; `segstudy.study.cleanup` knows where it lies."""

    resume, predictions, partial, cells, phantoms = "resume", "predictions", "partial", "cells", "phantoms"
    half_written, logs = "half-written", "logs"


def clean(
    files: Files = None,
    only: Annotated[
        list[Kind] | None, typer.Option(metavar="KIND", help=f"Only this kind: {', '.join(Kind)}. May be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what can go; remove nothing.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask. Cells then go only where --only cells names them.")
    ] = False,
    paths: Annotated[bool, typer.Option("--paths", help="Name every path, not only the first of each kind.")] = False,
) -> None:
    """Free disk: show what nothing needs any more, ask, and remove it. Results and raw data always stay.

    Nothing is removed while Snakemake works here or a training runs, nothing that is of no listed kind, and nothing
    behind a symbolic link: results/STUDY itself may be one, to another disk; links below it are not followed.
    """
    from segstudy.study.cleanup import behind_links, check_idle, leftovers, remove, roots

    study, results = opened(files)
    if not dry_run:
        check_idle(study, results)
    kinds = list(only or Kind)
    if yes and not only:  # hours of training are not to go because a config file was forgotten
        kinds.remove(Kind.cells)
    found = leftovers(study, results, [kind.value for kind in kinds])
    for root in roots(study, results):
        if root.is_symlink() and any(item.root == root for item in found):
            say(f"{root} is a link; what is removed lies in {root.resolve()}")
    for link, number in behind_links(study, results, [kind.value for kind in kinds]).items():
        say(f"{link} is a link: it is not followed, and {number} files and folders behind it stay")
    if not found:
        say(f"nothing of study '{study.study}' can go")
        return
    paper().print(_table(found, paths))
    if dry_run:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise StudyError(
                "there is nobody to ask whether this may go", remedy="look at it with --dry-run, then say --yes"
            )
        if not typer.confirm("Remove all of this?"):
            say("nothing was removed")
            return
        check_idle(study, results)  # a moment may have passed
    remove(found)
    say(f"removed: {_size(sum(item.size for item in found))}")


def _table(found: Sequence[Leftover], every: bool) -> Table:
    from rich import box
    from rich.table import Table

    from segstudy.study.cleanup import KINDS

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_footer=True)
    table.add_column("kind", "all", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("number", str(len(found)), justify="right", no_wrap=True)
    table.add_column("size", _size(sum(item.size for item in found)), justify="right", no_wrap=True)
    for kind, (words, _) in KINDS.items():
        own = [item for item in found if item.kind == kind]
        if own:
            shown = own if every else own[:NAMED]
            lines = [words, *(f"  {item.path}" for item in shown)]
            lines += [f"  ... and {len(own) - len(shown)} more"] if len(own) > len(shown) else []
            table.add_row(kind, "\n".join(lines), str(len(own)), _size(sum(item.size for item in own)))
    return table


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
