"""Progress of a command: a bar on a terminal, log lines elsewhere; both on stderr."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from segstudy.core.progress import watch_progress
from segstudy.core.terminal_text import VisibleFormatter


@contextmanager
def progress_bar(what: str) -> Iterator[None]:
    """Show the package's warnings and progress: `report_progress({"done": .., "total": ..})` moves the bar."""
    from rich.logging import RichHandler
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from segstudy.cli.console import PlainConsole

    console = PlainConsole(stderr=True)
    logger = logging.getLogger("segstudy")
    handler: logging.Handler
    if console.is_terminal:
        handler = RichHandler(console=console, show_time=False, show_path=False, markup=False)
        handler.setLevel(logging.WARNING)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(VisibleFormatter("%(message)s"))
    before, logger.handlers = logger.handlers, [handler]
    logger.setLevel(logging.INFO)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=None)

        def move(facts: Mapping[str, Any]) -> None:
            progress.update(task, completed=facts["done"], total=facts["total"])

        try:
            with watch_progress(move):
                yield
        finally:
            logger.handlers = before
