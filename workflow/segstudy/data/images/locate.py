"""Paths of an index: a file, or a page of one; bytes of names that are no UTF-8 are spelled."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from segstudy.core.names import on_disk

_PAGE = re.compile(r"#page=(\d+)$")


class Place(NamedTuple):
    """Where a picture is stored."""

    file: Path
    page: int | None  # 1 for the first; None: the path names a file as a whole


def locate(path: str | Path) -> Place:
    r"""Return the file and page that a path of an index means, such as `images/film.tif#page=3` or `gr\xf6n.png`."""
    text = on_disk(str(path))
    found = _PAGE.search(text)
    return Place(Path(text[: found.start()]), int(found[1])) if found else Place(Path(text), None)


def page_of(path: str, number: int) -> str:
    """Return the path of one page of a file, 1 for the first."""
    return f"{path}#page={number}"
