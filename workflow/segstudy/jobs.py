"""The frame every rule's script runs in: a log, a terminal line now and then, one message on failure."""

from __future__ import annotations

import errno
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from segstudy.errors import StudyError
from segstudy.live import WIPE, Live
from segstudy.locks import alone
from segstudy.progress import watched


@contextmanager
def job(snakemake: Any, resume: Path | None = None) -> Iterator[None]:
    """Run a rule's work: log to the rule's log file, echo progress to the terminal, end errors in one message.

    A `StudyError` (and a full disk) is printed as it is and the process ends with exit code 1. Anything else
    is a defect: its traceback goes to the log, one line naming the log goes to the terminal.
    Numerical libraries get exactly the threads that the rule was given; this must therefore be entered before
    they are imported. A training that says where its `resume` state lies is shown live as well.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(snakemake.threads)
    path = Path(str(snakemake.log[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = sys.stderr
    name = " ".join([snakemake.rule, *_wildcards(snakemake)])
    live = Live(name, resume, terminal) if resume else None
    with path.open("w", encoding="utf-8", errors="backslashreplace", buffering=1) as log:
        handlers = [
            _handler(log, "%(asctime)s %(levelname)s %(message)s"),
            _handler(terminal, f"{WIPE if terminal.isatty() else ''}[{name}] %(message)s"),
        ]
        if live:  # its line already says what an epoch's line would
            handlers[1].addFilter(lambda record: not (live.drawn and hasattr(record, "epoch")))
        logger = logging.getLogger("segstudy")
        handlers[1].setLevel(logging.INFO)  # the log keeps every line, the terminal those that tell of progress
        logger.setLevel(logging.DEBUG)
        logger.handlers = handlers
        logging.captureWarnings(True)
        logging.getLogger("py.warnings").handlers = handlers[:1]
        try:
            with redirect_stdout(log), redirect_stderr(log), alone(resume) if resume else nullcontext(), _shown(live):
                yield
        except (Exception, KeyboardInterrupt) as error:
            message = explain(error)
            if message is None:
                traceback.print_exc(file=log)
                message = f"unexpected {type(error).__name__}: {error}\n  to do:   see the whole story in {path}"
            print(f"\nError in {name}: {message}", file=log)
            print(f"\nError in {name}: {message}\n", file=terminal, flush=True)
            sys.exit(1)


@contextmanager
def _shown(live: Live | None) -> Iterator[None]:
    """Show what is told within the block; take it away at the end, before any message of an error."""
    if live is None:
        yield
        return
    try:
        with watched(live):
            yield
    finally:
        live.close()


def repeating_command(snakemake: Any) -> str:
    """Return the command that makes this job's first output again, with the same config and threads.

    The options that chose the config come from the environment variable SEGSTUDY_CONFIG, which the workflow sets: as
    a rule parameter they would make another spelling of the same config look like a change.
    """
    config = os.environ.get("SEGSTUDY_CONFIG", "")
    threads = f"--cores {snakemake.threads} --set-threads {snakemake.rule}={snakemake.threads}"
    return " ".join(f"snakemake {threads} {config} --force -- {shlex.quote(str(snakemake.output[0]))}".split())


def explain(error: BaseException) -> str | None:
    """Return the message for an error a user can mend, or None for a defect of the program."""
    if isinstance(error, StudyError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return str(
            StudyError(
                f"the disk is full ({os.strerror(error.errno)}) while writing",
                where=error.filename or "",
                remedy="free some space or move results/ to another disk, then run the same command again",
            )
        )
    if isinstance(error, PermissionError):
        return str(StudyError("no permission", where=error.filename or "", remedy="check the file's owner and mode"))
    return None


def _wildcards(snakemake: Any) -> list[str]:
    values = dict(snakemake.wildcards.items())
    values.pop("study", None)
    parts = [f"seed{value}" if key == "seed" else str(value) for key, value in values.items()]
    return ["/".join(parts)] if parts else []


def _handler(stream: Any, layout: str) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(layout, datefmt="%H:%M:%S"))
    return handler
