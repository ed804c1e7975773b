"""Locks: which Snakemake processes run in this folder, whose lock is left over, and which process trains a cell.

Snakemake's lock is a list of files and does not say who holds it; killed with SIGKILL, it leaves the lock behind.
Every Snakemake that runs the workflow therefore leaves a record of itself beside the lock (`record`, called by
rules/common.smk), and `segstudy run` removes a lock whose Snakemake is known to be gone (`release`).
"""

from __future__ import annotations

import atexit
import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TextIO

import psutil

from segstudy.core.errors import StudyError

logger = logging.getLogger("segstudy")

LOCKS = Path(".snakemake/locks")
RUNS = Path(".snakemake/segstudy-runs")
# File systems that one machine alone writes to: a lock on them is of this machine.
LOCAL = {"apfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "overlay", "tmpfs", "xfs", "zfs"}
HERE = ("local", "dryrun", "touch")  # executors whose jobs die or are seen on this machine
PATIENCE = 600.0  # seconds that a training waits for another one of the same cell


class Run(NamedTuple):
    """A Snakemake that has run here, by its own record."""

    path: Path
    host: str
    pid: int
    begun: float
    executor: str

    @property
    def here(self) -> bool:
        """Whether it was started on this machine."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether it still runs; False for one of another machine, of which nobody here can say it."""
        if not self.here:
            return False
        try:
            process = psutil.Process(self.pid)
            return _works(process) and abs(process.create_time() - self.begun) < 1
        except psutil.Error:
            return False


def record(executor: str) -> None:
    """Note, until this process ends, that it is a Snakemake at work in this folder. A read-only folder is no error."""
    me = psutil.Process()
    facts = {"host": socket.gethostname(), "pid": me.pid, "begun": me.create_time(), "executor": executor}
    path = RUNS / f"{facts['host']}-{me.pid}.json"
    with suppress(OSError):
        RUNS.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".partial")
        temporary.write_text(json.dumps(facts), encoding="utf-8")
        os.replace(temporary, path)

    def forget() -> None:
        if os.getpid() == me.pid:  # a forked child ends like its parent
            with suppress(OSError):
                path.unlink(missing_ok=True)

    atexit.register(forget)


def forget_runs() -> None:
    """Remove the records of every Snakemake that does not run here: somebody has said `snakemake --unlock`."""
    for run in recorded():
        if not run.alive:
            run.path.unlink(missing_ok=True)


def recorded() -> list[Run]:
    """Return every Snakemake that has left its record, with those that still run."""
    runs = []
    for path in sorted(RUNS.glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            facts = json.loads(path.read_text(encoding="utf-8"))
            runs.append(Run(path, facts["host"], facts["pid"], facts["begun"], facts["executor"]))
    return runs


def at_work(folder: Path) -> list[int]:
    """Return the process numbers of every Snakemake of this machine that works in a folder; jobs do not count."""
    folder, pids = folder.resolve(), []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            words = process.cmdline()
            if _works(process) and _is_snakemake(words) and Path(process.cwd()) == folder:
                pids.append(process.pid)
    return pids


def _works(process: psutil.Process) -> bool:
    """Return whether a process still runs: a killed one stays in the list until its parent has taken note of it."""
    return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


def _is_snakemake(words: list[str]) -> bool:
    named = [Path(word).name for word in words[:2]]
    started = "snakemake" in named or any(pair == ("-m", "snakemake") for pair in pairwise(words))
    return started and not any(pair[0] == "--mode" for pair in pairwise(words))


def locked(results: Path) -> list[Path]:
    """Return Snakemake's locks of this folder that name a file of these results; with damaged ones, which name none."""
    locks = []
    for path in sorted(LOCKS.glob("*.lock")):
        with suppress(FileNotFoundError):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            if not lines or any(line.startswith(f"{results}/") for line in lines):
                locks.append(path)
    return locks


def release(results: Path) -> str:
    """Remove a lock that a killed Snakemake has left; return a sentence about it, '' where there was none.

    Raises:
        StudyError: the lock's Snakemake still runs, or it cannot be known whether it does.
    """
    locks = locked(results)
    if not locks:
        return ""
    runs = recorded()
    alive = sorted({*at_work(Path.cwd()), *(run.pid for run in runs if run.alive)} - {os.getpid()})
    if alive:
        raise StudyError(
            f"Snakemake is at work on this study already (process {alive[0]})",
            where=locks[0],
            remedy="wait for it: segstudy status --watch; or stop it: "
            f"kill -INT {alive[0]}, upon which trainings save their state",
        )
    elsewhere = [run for run in runs if not run.here]
    if elsewhere:
        run = elsewhere[-1]
        raise StudyError(
            f"Snakemake was started on {run.host} (process {run.pid}) and has not said that it ended",
            where=locks[0],
            remedy=f"look on {run.host} whether it runs (ps {run.pid}); if not: snakemake --unlock",
        )
    remote = [run.executor for run in runs if run.executor not in HERE]
    if remote:
        raise StudyError(
            f"Snakemake was killed here, and jobs that it had sent to {remote[0]} may still run",
            where=locks[0],
            remedy="wait until the queue has none of them any more (squeue --me, bjobs), then: snakemake --unlock",
        )
    if not runs and _file_system(Path.cwd()) not in LOCAL:
        raise StudyError(
            "Snakemake has left a lock, and it cannot be known on which machine: this disk may be a shared one",
            where=locks[0],
            remedy="if it runs nowhere any more: snakemake --unlock",
        )
    for path in LOCKS.glob("*.lock"):
        path.unlink(missing_ok=True)
    forget_runs()
    return "The Snakemake that ran here was killed and has left its lock: it is removed, and the study goes on."


def _file_system(folder: Path) -> str:
    """Return the type of the file system that a folder lies on, '' where it is unknown."""
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else ""


@contextmanager
def alone(folder: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock of a training, kept in the folder of its resume state; wait for another process that holds it.

    The lock is the operating system's: it goes with its process, however that ends. On file systems without locks,
    nothing is held.

    Raises:
        StudyError: the other process still trains after `patience` seconds.
    """
    path = Path(folder) / "lock"
    file = _acquired(path, patience)
    try:
        yield
    finally:
        if file is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()  # a folder that holds a state stays
            file.close()


def _acquired(path: Path, patience: float) -> TextIO | None:
    until, announced = time.monotonic() + patience, False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("a+", encoding="utf-8")
        except FileNotFoundError:  # the other one is done and has taken the folder away
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(file)
            file.close()
            if time.monotonic() > until:
                raise StudyError(
                    f"this cell is being trained by another process already ({holder})",
                    where=path,
                    remedy="wait until it ends, or stop it with kill: it saves its state; then run the same again",
                ) from None
            if not announced:
                logger.info("another process (%s) trains this cell: waiting until it ends", holder)
                announced = True
            time.sleep(min(1.0, patience / 10))
            continue
        except OSError:  # no locks here
            file.close()
            return None
        if _same(file, path):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
            return file
        file.close()  # its name was taken away between opening and locking


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read(200).strip() or "just begun"


def _same(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
