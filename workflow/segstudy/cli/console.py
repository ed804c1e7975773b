"""The console that commands print on: text is shown as it is, whatever brackets and control characters it holds."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from segstudy.core.terminal_text import visible

WIDTH = 110  # columns where there is no terminal
NARROWEST = 40


class PlainConsole(Console):
    """A console on which text is no markup and holds no control characters; styles are given beside the text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text to print; spelled out before it is laid out, so that columns fit."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what is printed, `Text`s that others made included."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)


def console(stderr: bool = False) -> PlainConsole:
    """Return a console as wide as the terminal, or WIDTH columns where there is none; never narrower than NARROWEST."""
    known = (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ
    result = PlainConsole(stderr=stderr, width=None if known else WIDTH)
    result.width = max(result.width, NARROWEST)  # COLUMNS=0 would print nothing at all
    return result
