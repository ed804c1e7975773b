"""Text for a terminal or a log: control characters of names from data and config are spelled out, never sent."""

from __future__ import annotations

import logging
import sys
import unicodedata
from typing import Any

SPELLED = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format (bidirectional, invisible), surrogate, separators of lines
KEPT = "\n\t\u200c\u200d"  # line breaks and tabs of messages; joiners are part of Persian, Indic and emoji spelling


def visible(text: object, keep: str = KEPT) -> str:
    r"""Return `text` with characters that act on a terminal spelled out: ESC becomes `\x1b`, U+202E `\u202e`.

    Doing it twice changes nothing more. Undecodable bytes of file names (lone surrogates) become printable as well.
    """
    text = str(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in SPELLED and character not in keep
        else character
        for character in text
    )


def on_one_line(text: object) -> str:
    r"""Return `visible` text without line breaks and tabs: a name cannot begin a line that looks like a message."""
    return visible(text, KEPT[2:])


def say(text: object, error: bool = False) -> None:
    """Print a message of a command, on stderr if it is an error."""
    print(visible(text), file=sys.stderr if error else sys.stdout, flush=error)


class VisibleFormatter(logging.Formatter):
    """A log format whose messages are `visible`, each on one line; the format string itself may hold control codes."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        record.message = on_one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """Return a traceback."""
        return visible(super().formatException(ei))
