"""Signals that ask a job to stop: noted, and acted on where the state can be saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from segstudy.core.errors import StudyError

# A job that is asked to go: Ctrl-C, `kill`, a closed terminal, LSF's and Slurm's warnings before a time limit.
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")


class Interrupted(StudyError):
    """The training was asked to stop, and can be continued."""


@contextmanager
def caught_signals() -> Iterator[Callable[[], str]]:
    """Catch the signals that ask a job to go; yield a function that returns the name of the first, or ''.

    The handlers that were there before come back at the end. A signal that is ignored (nohup) stays ignored.
    Outside the main thread, where Python allows no handlers, none is caught.
    """
    received: list[str] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number).name)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, note)
    try:
        yield lambda: received[0] if received else ""
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
