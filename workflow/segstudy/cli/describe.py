"""Show the card of a data set."""

from __future__ import annotations

import logging
import os
import sys
from datetime import datetime
from typing import Annotated

import typer

from segstudy.cli.completion import datasets
from segstudy.cli.config_files import Files, opened, paper
from segstudy.core.errors import StudyError, nearest
from segstudy.core.terminal_text import VisibleFormatter


def describe(
    dataset: Annotated[
        str, typer.Argument(help="A data set of the config.", autocompletion=datasets, show_default=False)
    ],
    files: Files = None,
    again: Annotated[
        bool, typer.Option("--again", help="Read the files now, even where the study has described them before.")
    ] = False,
) -> None:
    """The card of a data set: images, sizes, classes, subsets, and what is odd about the files.

    Where the study has described it, its card is shown at once. Elsewhere every file is read once and nothing is
    written: seconds for a few hundred images, minutes for thousands.
    """
    from rich.markdown import Markdown

    from segstudy.core.files import read_json
    from segstudy.data.card_page import card_text, without_picture
    from segstudy.data.preview import card_file, look

    study, results = opened(files)
    if dataset not in study.datasets:
        raise StudyError(
            f"no data set of the config is called '{dataset}'.{nearest(dataset, study.datasets)}",
            allowed=", ".join(study.datasets),
        )
    kept = card_file(results, dataset)
    if kept.exists() and not again:
        card = read_json(kept)
        made = datetime.fromtimestamp(kept.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
        origin = f"As the study described it, {made}. With pictures: {kept.with_name('card.html')}. Anew: --again"
    else:
        _say_progress()
        card = look(study, dataset, threads=min(4, os.cpu_count() or 1))
        origin = "As the files are now; nothing was written."
    console = paper()
    console.print(Markdown(without_picture(card_text(card)), hyperlinks=False))
    console.print(f"\n{origin}", style="dim", soft_wrap=True)


def _say_progress() -> None:
    """Show on stderr what the package tells of its progress."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(VisibleFormatter("%(message)s"))
    logger = logging.getLogger("segstudy")
    logger.setLevel(logging.INFO)
    logger.handlers = [handler]
