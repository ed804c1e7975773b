"""Snakemake's lines in short, `--logger segstudy`: one line for each finished job, and what went wrong.

Snakemake finds a logger by the name of its module. `segstudy run` uses this one; everything else that Snakemake
says stays in its own log below .snakemake/log.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping
from logging import WARNING, LogRecord
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from segstudy.core.progress import clock
from segstudy.core.terminal_text import visible
from segstudy.runtime.job import job_name

NOTHING = "Nothing to be done"  # how Snakemake begins to say that all files are up to date


class LogHandler(LogHandlerBase):
    """Writes `[3/63] train ph2/unet/bce/default/seed0 (41 s)` for a finished job, and errors and warnings."""

    def __post_init__(self) -> None:
        self._started: dict[int, tuple[str, float]] = {}
        self._finished: list[int] = []
        self._failures: list[str] = []

    def emit(self, record: LogRecord) -> None:
        """Write what a reader of the terminal wants of this record."""
        facts, event = vars(record), getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self._say(_jobs_by_rule(facts["stats"]))
        elif event == LogEvent.JOB_INFO:
            self._started[facts["jobid"]] = (job_name(facts["rule_name"], facts["wildcards"] or {}), time.monotonic())
        elif event == LogEvent.JOB_FINISHED:
            self._finished.append(facts["job_id"])
        elif event == LogEvent.PROGRESS:
            self._progress(facts["done"], facts["total"])
        elif event == LogEvent.JOB_ERROR:
            self._failed(facts)
        elif record.levelno >= WARNING or str(record.msg).startswith(NOTHING):
            self._say(str(record.msg))

    def _progress(self, done: int, total: int) -> None:
        first = done - len(self._finished) + 1
        for count, jobid in enumerate(self._finished, first):
            name, begun = self._started.pop(jobid, (f"job {jobid}", time.monotonic()))
            seconds = clock(time.monotonic() - begun)
            self._say(f"[{count}/{total}] {'done' if name == 'all' else f'{name} ({seconds})'}")
        self._finished.clear()

    def _failed(self, facts: Mapping[str, Any]) -> None:
        name, _ = self._started.pop(facts["jobid"], (facts["rule_name"], 0.0))
        log = f"; log: {', '.join(facts['log'])}" if facts["log"] else ""
        self._say(f"failed: {name}{log}")

    def _say(self, text: str) -> None:
        try:
            sys.stderr.write(visible(text) + "\n")
            sys.stderr.flush()
        except OSError:  # the terminal is gone, the run goes on
            pass

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's own lines."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake's own log is kept as it is."""
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's filter (`--quiet`) stays in front of it."""
        return False

    @property
    def has_formatter(self) -> bool:
        """It makes its own lines."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """No picture of the rules is drawn."""
        return False


def _jobs_by_rule(stats: Mapping[str, int]) -> str:
    """Return how many jobs there are, and of which rules most."""
    counts = Counter({rule: count for rule, count in stats.items() if rule not in ("total", "all")})
    total = stats.get("total", sum(counts.values()))
    return f"{total} jobs: " + ", ".join(f"{count} {rule}" for rule, count in counts.most_common())
