"""The context in which every rule's script runs: log, progress on the terminal, one message on failure."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from segstudy.core import checksums
from segstudy.core.errors import StudyError
from segstudy.core.progress import watch_progress
from segstudy.core.terminal_text import VisibleFormatter, visible
from segstudy.runtime.live_status import WIPE, LiveStatus
from segstudy.runtime.locks import alone

QUIET = "SEGSTUDY_QUIET"  # environment variable: on the terminal, a job says warnings and errors alone
FULL = (errno.ENOSPC, errno.EDQUOT)
# Of what loses the number of the error: a short write of an array, the writers of torch, safetensors and Pillow.
FULL_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|\d+ requested and \d+ written|os error 28\b"
    r"|PytorchStreamWriter failed|encoder error -2 when writing"
)


@contextmanager
def job(snakemake: Any, resume: Path | None = None, remove: str | None = None) -> Iterator[None]:
    """Run a rule's work: log to the rule's log file, echo progress to the terminal, end errors in one message.

    A `StudyError` (and a full disk) is printed as it is and the process ends with exit code 1. Anything else
    is a defect: its traceback goes to the log, one line naming the log goes to the terminal.
    Numerical libraries get exactly the threads that the rule was given; this must therefore be entered before
    they are imported. A training that says where its `resume` state lies is shown live as well. The folder `remove`,
    which nobody needs once this job has succeeded, is removed then.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(snakemake.threads)
    path = Path(str(snakemake.log[0]))
    terminal = sys.stderr
    name = job_name(snakemake.rule, dict(snakemake.wildcards.items()))
    live = LiveStatus(name, resume, terminal) if resume else None
    with _log(path) as log:
        handlers = [
            _handler(log, "%(asctime)s %(levelname)s %(message)s"),
            _handler(terminal, f"{WIPE if terminal.isatty() else ''}[{name}] %(message)s"),
        ]
        if live:  # its line already says what an epoch's line would
            handlers[1].addFilter(lambda record: not (live.drawn and hasattr(record, "epoch")))
        logger = logging.getLogger("segstudy")
        # The log keeps every line, the terminal those that tell of progress, or only what is `notable`.
        least = logging.WARNING if os.environ.get(QUIET) else logging.INFO
        handlers[1].addFilter(lambda record: record.levelno >= least or hasattr(record, "notable"))
        logger.setLevel(logging.DEBUG)
        logger.handlers = handlers
        logging.captureWarnings(True)
        logging.getLogger("py.warnings").handlers = handlers[:1]
        try:
            own = alone(resume) if resume else nullcontext()
            with redirect_stdout(log), redirect_stderr(log), own, _shown(live), _pictures(snakemake):
                yield
            if remove:
                shutil.rmtree(remove, ignore_errors=True)
        except (Exception, KeyboardInterrupt) as error:
            message = explain(error)
            known = message is not None
            if message is None:
                message = f"unexpected {type(error).__name__}: {error}\n  to do:   see the whole story in {path}"
            message = visible(message)
            with suppress(OSError):  # it may be a file on a full disk
                terminal.write(f"\nError in {name}: {message}\n\n")
                terminal.flush()
            if not known:
                log.write(visible(traceback.format_exc()))
            log.write(f"\nError in {name}: {message}\n")
            sys.exit(1)


class _Log(io.TextIOBase):
    """A job's log, written at once; what a full disk does not take is lost, and the job goes on.

    The message that ends a job must reach the terminal whatever becomes of its log.
    """

    encoding = "utf-8"

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self._descriptor is None:
            raise io.UnsupportedOperation("the log could not be opened")
        return self._descriptor

    def write(self, text: str) -> int:
        left = text.encode("utf-8", errors="replace")
        with suppress(OSError):
            while left and self._descriptor is not None:
                left = left[os.write(self._descriptor, left) :]
        return len(text)

    def close(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None
        super().close()


@contextmanager
def _log(path: Path) -> Iterator[_Log]:
    log = _Log(path)
    try:
        yield log
    finally:
        log.close()


@contextmanager
def _shown(live: LiveStatus | None) -> Iterator[None]:
    """Show what is told within the block; take it away at the end, before any message of an error."""
    if live is None:
        yield
        return
    try:
        with watch_progress(live):
            yield
    finally:
        live.close()


@contextmanager
def _pictures(snakemake: Any) -> Iterator[None]:
    """Read pictures as large as the data sets of the job allow.

    The limits come from the environment variable SEGSTUDY_MAX_MEGAPIXELS, which the workflow sets: as a rule parameter
    another limit would make everything anew, and it changes no result. A job that names no data set is given the
    largest: of all data sets the rule index has checked every picture.
    """
    limits: dict[str, float] = json.loads(os.environ.get("SEGSTUDY_MAX_MEGAPIXELS", "{}"))
    wildcards = dict(snakemake.wildcards.items())
    named = [name for name in limits if name in map(wildcards.get, ("dataset", "unlabelled", "external"))]
    if not limits:
        yield
        return
    from segstudy.core.pixel_limit import allowing

    largest = max(named or limits, key=lambda name: limits[name])
    with allowing(limits[largest], f"datasets.{largest}.max_megapixels"):
        yield


def repeating_command(snakemake: Any) -> str:
    """Return the command that makes this job's first output again, with the same config and threads.

    The options that chose the config come from the environment variable SEGSTUDY_CONFIG, which the workflow sets: as
    a rule parameter they would make another spelling of the same config look like a change.
    """
    config = os.environ.get("SEGSTUDY_CONFIG", "")
    threads = f"--cores {snakemake.threads} --set-threads {snakemake.rule}={snakemake.threads}"
    return " ".join(f"snakemake {threads} {config} --force -- {shlex.quote(str(snakemake.output[0]))}".split())


def full_disk(error: BaseException) -> StudyError | None:
    """Return the error of a full disk where that is what lies behind an error, however a library puts it."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        number = getattr(cause, "errno", None)
        if number in FULL or FULL_WORDS.search(str(cause)):
            words = os.strerror(number) if number in FULL else str(cause).strip().partition("\n")[0]
            where = next((name for one in seen if (name := getattr(one, "filename", None))), "")
            return StudyError(
                f"the disk is full ({words}) while writing",
                where=where,
                remedy="free some space on that disk, or write to another one (move results/ or the folder of the "
                "output, set TMPDIR for temporary files); then run it again",
            )
        cause = cause.__cause__ or cause.__context__
    return None


def explain(error: BaseException) -> str | None:
    """Return the message for an error a user can mend, or None for a defect of the program."""
    if isinstance(error, StudyError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if full := full_disk(error):
        return str(full)
    if isinstance(error, FileNotFoundError) and checksums.ROOT in Path(str(error.filename)).parts:
        return str(
            StudyError(
                "a file of the results is missing", where=error.filename, remedy=checksums.remake(error.filename)
            )
        )
    if isinstance(error, PermissionError):
        return str(StudyError("no permission", where=error.filename or "", remedy="check the file's owner and mode"))
    return None


def job_name(rule: str, wildcards: Mapping[str, str]) -> str:
    """Return what a job is called on the terminal, such as `train ph2/unet/bce/default/seed0`."""
    parts = [f"seed{value}" if key == "seed" else str(value) for key, value in wildcards.items() if key != "study"]
    return " ".join([rule, *(["/".join(parts)] if parts else [])])


class _Quiet(logging.StreamHandler[Any]):
    """Says nothing about a line that could not be written: the disk is full, the terminal is gone."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _handler(stream: Any, layout: str) -> logging.Handler:
    handler = _Quiet(stream)
    handler.setFormatter(VisibleFormatter(layout, datefmt="%H:%M:%S"))
    return handler
