"""`segstudy describe`: the card of a data set."""

from __future__ import annotations

import logging
import os
import sys
from datetime import datetime
from typing import Annotated

import typer

from segstudy.cli.completion import datasets
from segstudy.cli.config_files import Files, check_name, open_study
from segstudy.core.terminal_text import VisibleFormatter


def describe(
    dataset: Annotated[
        str, typer.Argument(help="Name of a data set in the config.", autocompletion=datasets, show_default=False)
    ],
    files: Files = None,
    again: Annotated[
        bool, typer.Option("--again", help="Read the files again, even if the study already has a card.")
    ] = False,
) -> None:
    """Show the card of a data set: images, sizes, classes, subsets, and irregularities of the files.

    If the study already has a card, it is shown at once. Otherwise every file is read once and nothing is written: this
    takes seconds for a few hundred images, minutes for thousands.
    """
    from rich.markdown import Markdown

    from segstudy.cli.console import console
    from segstudy.core.files import read_json
    from segstudy.data.card_page import card_text, without_picture
    from segstudy.data.preview import card_file, look

    study, results = open_study(files)
    check_name("data set of the config", dataset, study.datasets)
    kept = card_file(results, dataset)
    if kept.exists() and not again:
        card = read_json(kept)
        made = datetime.fromtimestamp(kept.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
        origin = f"Card of {made}, with pictures: {kept.with_name('card.html')}. Read the files again: --again"
    else:
        _log_to_stderr()
        card = look(study, dataset, threads=min(4, os.cpu_count() or 1))
        origin = "Read from the files now; nothing was written."
    terminal = console()
    terminal.print(Markdown(without_picture(card_text(card)), hyperlinks=False))
    terminal.print(f"\n{origin}", style="dim", soft_wrap=True)


def _log_to_stderr() -> None:
    """Print the package's log lines, its progress among them, on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(VisibleFormatter("%(message)s"))
    logger = logging.getLogger("segstudy")
    logger.setLevel(logging.INFO)
    logger.handlers = [handler]
