"""Status of a study, refreshed on a terminal: alone, or below the lines of the command that runs it."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from segstudy.config.study import Study
from segstudy.core.errors import StudyError
from segstudy.runtime import children
from segstudy.study.status import OPEN, Training, trainings
from segstudy.study.status_view import view

EVERY = 1.0  # seconds between two looks at the files
FULL = re.compile(r"\[Errno (28|122)\]|No space left on device|Disk quota exceeded")
JOBS = re.compile(r"^\[(\d+)/(\d+)\] |(\d+) of (\d+) steps \(\d+%\) done")  # a finished job; Snakemake's count
EPOCH = re.compile(r"\[train [^]]*\] epoch \d")  # what the picture says better


def watch(
    look: Callable[[], list[Training]], draw: Callable[[list[Training]], RenderableType], console: Console
) -> int:
    """Draw what `look` finds until none of its trainings is open any more, or until Ctrl-C; return the exit code."""
    try:
        cells = look()
        with Live(draw(cells), console=console, auto_refresh=False) as live:
            while any(training.state in OPEN for training in cells):
                time.sleep(EVERY)
                cells = look()
                live.update(draw(cells), refresh=True)
    except KeyboardInterrupt:
        return 130
    return 0


def run(study: Study, results: Path, console: Console, command: Sequence[str]) -> int:
    """Run `command` with its lines above the study's state; return its exit code.

    Signals are for the command to act on (`children.start`), and this process waits for it in any case. Whatever goes
    wrong with the picture, the command's lines are read to the end.
    """
    child = children.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert child.stdout is not None
    done, jobs, full = threading.Event(), [""], None
    with Live(view(trainings(study, results)), console=console, auto_refresh=False, transient=True) as live:
        painter = threading.Thread(target=_paint, args=(study, results, live, done, jobs), daemon=True)
        painter.start()
        for line in child.stdout:
            text = line.decode(errors="replace").rstrip()
            full = full or FULL.search(text)
            if count := JOBS.search(text):
                done_jobs, of = filter(None, count.groups())
                jobs[0] = f"{done_jobs} of {of} jobs, "
            elif not EPOCH.match(text):
                with suppress(OSError):  # the terminal is gone
                    console.print(Text.from_ansi(text), soft_wrap=True)
        done.set()
        painter.join()
    code = children.code(child)
    if code and full:
        message = StudyError(
            "the disk is full: Snakemake or one of its jobs could not write",
            where=f"{Path('.snakemake').resolve()}, {results} or the folder of temporary files",
            remedy="free some space, then run the same command again",
        )
        with suppress(OSError):
            console.print(f"\nError: {message}", soft_wrap=True, markup=False)
    return code


def _paint(study: Study, results: Path, live: Live, done: threading.Event, jobs: Sequence[str]) -> None:
    while not done.wait(EVERY):
        live.update(view(trainings(study, results), jobs[0]), refresh=True)
