"""Run a command as a child process that ends cleanly: signals to stop are passed on, and its end is awaited."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

# A closed terminal, `kill`, the warnings of batch systems before a time limit.
PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a command; from now on, signals to stop interrupt the command and all processes that it has started.

    They arrive there as SIGINT, upon which Snakemake cancels its jobs and takes its lock away, and trainings save their
    state; a closed terminal alone would end Snakemake with its lock left. Ctrl-C reaches all of them by itself.
    """
    child = subprocess.Popen(command, preexec_fn=_ignore_hangup, **options)  # noqa: PLW1509 (no threads yet)

    def interrupt(number: int, frame: object) -> None:
        interrupt_all(child.pid)

    for name in PASSED_ON:
        if signal.getsignal(name) != signal.SIG_IGN:  # nohup
            signal.signal(name, interrupt)
    signal.signal(signal.SIGINT, signal.SIG_IGN if _in_foreground() else interrupt)
    return child


def interrupt_all(pid: int) -> None:
    """Send SIGINT to a process and to all that it has started, as Ctrl-C does."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in [*process.children(recursive=True), process]:
            with suppress(psutil.Error):
                one.send_signal(signal.SIGINT)


def code(child: subprocess.Popen[bytes]) -> int:
    """Wait for a child and return its exit code, that of a shell where a signal has ended it."""
    status = child.wait()
    return status if status >= 0 else 128 - status


def _ignore_hangup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _in_foreground() -> bool:
    """Return whether Ctrl-C in a terminal reaches this process, and with it its children."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
