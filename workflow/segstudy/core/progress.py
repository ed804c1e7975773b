"""Progress of long work, through the standard `logging` logger "segstudy".

Package code logs; `segstudy.runtime.job` (in a rule) or the command decides where the lines go.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Watcher = Callable[[Mapping[str, Any]], None]
logger = logging.getLogger("segstudy")
_watchers: list[Watcher] = []


@contextmanager
def watch_progress(watcher: Watcher) -> Iterator[None]:
    """Call `watcher` with every report within the block."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def report_progress(facts: Mapping[str, Any]) -> None:
    """Pass the state of long work to all watchers; it costs nothing where there are none."""
    for watcher in _watchers:
        watcher(facts)


def track(items: Iterable[Item], what: str, total: int | None = None, every: float = 5.0) -> Iterator[Item]:
    """Yield `items` and log '<what> 120/400, 0:12 left' at most once in `every` seconds, and at the end.

    Where neither `total` nor the length of `items` is known, the number alone is logged.
    """
    count = total if total is not None else len(items) if isinstance(items, Sized) else None
    of = "" if count is None else f"/{count}"
    started = last = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= every and done != count:
            last = now
            left = "" if count is None else f", {clock((now - started) / done * (count - done))} left"
            logger.info("%s %d%s%s", what, done, of, left)
    logger.info("%s %d%s done in %s", what, done, of, clock(time.monotonic() - started))


def clock(seconds: float) -> str:
    """Return seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
