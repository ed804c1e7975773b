"""Live status of a training: a small file for `segstudy status`, and one line that is rewritten on a terminal.

The line appears where it can be read: stderr is a terminal, and no other training of the study runs. Several of them
would write over each other; they log a line now and then, and `segstudy status` shows them all.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import psutil

from segstudy.config import paths
from segstudy.core.progress import clock

STATUS = "status.json"
WIPE = "\r\x1b[K"  # to the left edge, and empty the line
SILENCE = 600.0  # seconds after which a training on another machine counts as gone


class LiveStatus:
    """Shows the status of one training, at most once a second; its errors never stop the training.

    Args:
        name: of the training, in the line.
        folder: of its resume state, `<study>/resume/<data set>/<model>/<loss>/<recipe>/<seed>`; the file goes there.
        terminal: where the line goes if it is one.
    """

    def __init__(self, name: str, folder: Path, terminal: TextIO) -> None:
        self.name, self.path, self.terminal = name, Path(folder) / STATUS, terminal
        self.others = paths.below(Path(folder))
        self.drawn, self._last_shown = False, 0.0
        me = psutil.Process()
        self._facts: dict[str, Any] = {"pid": me.pid, "begun": me.create_time(), "host": socket.gethostname()}

    def __call__(self, facts: Mapping[str, Any]) -> None:
        """Show `facts` (`training.reporter.Reporter` says which), unless something was shown within the last second."""
        if time.monotonic() - self._last_shown < 1:
            return
        self._facts |= {**facts, "updated": time.time()}
        try:
            self._write()
            self._draw()
        except OSError:  # a full disk, a closed terminal: the training itself says what it cannot do without
            pass
        self._last_shown = time.monotonic()

    def close(self) -> None:
        """Take line and file away."""
        try:
            if self.drawn:
                self.terminal.write(WIPE)
                self.terminal.flush()
            self.path.unlink(missing_ok=True)
            self.path.parent.rmdir()
        except OSError:  # the folder holds a state, or is gone
            pass
        self.drawn = False

    def _write(self) -> None:
        # No fsync, unlike `files.atomic_path`: nobody needs this file after a power cut.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{STATUS}.{os.getpid()}.partial")
        temporary.write_text(json.dumps(self._facts), encoding="utf-8")
        os.replace(temporary, self.path)

    def _draw(self) -> None:
        if not self.terminal.isatty():
            return
        alone = all(path == self.path or read(path) is None for path in self.others.rglob(STATUS))
        if alone:
            width = os.get_terminal_size(self.terminal.fileno()).columns or 80
            self.terminal.write(WIPE + f"[{self.name}] {format_status(self._facts)}"[: width - 1])
        elif self.drawn:
            self.terminal.write(WIPE)
        self.terminal.flush()
        self.drawn = alone


def read(path: Path) -> dict[str, Any] | None:
    """Return the facts in a status file; None where its training does not run any more, or nothing can be read."""
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        format_status(facts)  # all that is shown of it is there
        if facts["host"] != socket.gethostname():
            return facts if time.time() - facts["updated"] < SILENCE else None
        return facts if psutil.Process(facts["pid"]).create_time() == facts["begun"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, psutil.Error):
        return None


def format_status(facts: Mapping[str, Any]) -> str:
    """Return the facts of a training as one line; a narrow terminal cuts its end, so what matters most comes first."""
    left = facts["seconds_left"]
    parts = [f"epoch {facts['epoch']}/{facts['epochs']}", "" if left is None else f"{clock(left)} left"]
    for key, form in (
        ("val_dice", "val Dice {:.4f}"),
        ("images_per_second", "{:.1f} images/s"),
        ("train_loss", "train loss {:.4g}"),
        ("val_loss", "val loss {:.4g}"),
    ):
        parts.append("" if facts[key] is None else form.format(facts[key]))
    return ", ".join([*filter(None, parts), f"step {facts['step']}/{facts['steps']}"])
