"""How large a picture may be: one limit for the whole process, since pictures are read by many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

MAX_MEGAPIXELS = 200.0  # where a data set says nothing else


class Limit(NamedTuple):
    """How large a picture may be."""

    megapixels: float
    key: str  # where it is set


_limits = [Limit(MAX_MEGAPIXELS, "datasets.<name>.max_megapixels")]


def current() -> Limit:
    """Return the limit in force."""
    return _limits[-1]


@contextmanager
def allowing(megapixels: float, key: str) -> Iterator[None]:
    """Read pictures up to `megapixels` within the block, in all threads; `key` is what a message says to raise."""
    _limits.append(Limit(megapixels, key))
    try:
        yield
    finally:
        _limits.pop()
