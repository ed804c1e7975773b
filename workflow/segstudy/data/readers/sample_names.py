"""What samples are called: unique names that files can have, made from the names of the images."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from anyascii import anyascii

from segstudy.core.names import LONGEST, readable
from segstudy.data.readers.discovery import counted, few

Rows = list[dict[str, str]]


def named(rows: Rows, repairs: list[str]) -> Rows:
    """Return the rows with names in `sample` that are unique and fit for files, and the original ones in `title`.

    Equal names get the official subset before them, or the folders in which the images differ, or their endings.
    Other letters are transliterated (`größe` becomes `grosse`), other signs become `_`; where two names meet then, a
    hash of the original is added. `title` is empty where only a subset was put before the name.
    """
    raw = [readable(row["sample"]) for row in rows]
    if len(set(raw)) < len(raw) and len({row["official_subset"] for row in rows}) > 1:
        raw = [f"{row['official_subset'] or 'rest'}_{name}" for name, row in zip(raw, rows, strict=True)]
    titles = _told_apart(raw, [readable(row["image"]) for row in rows])
    names = _unique(titles)
    changed = []
    result = []
    for row, first, title, name in zip(rows, raw, titles, names, strict=True):
        changed += [title] if name != title else []
        result.append(row | {"sample": name, "title": title if name != first else ""})
    if changed:
        number = counted(changed, "name")
        repairs.append(f"{number} changed to letters, digits, '.', '_' and '-': {few(changed)}")
    return result


def file_name(title: str) -> str:
    """Return a name in letters, digits, '.', '_' and '-' that begins with a letter or digit and is not too long."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", anyascii(title))
    name = name if name[:1].isalnum() else f"x{name}"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 7]}_{_hash(title)}"


def _told_apart(names: Sequence[str], images: Sequence[str]) -> list[str]:
    """Return the names, where some are equal all with the folders that differ before them, or with their endings."""
    if len(set(names)) == len(names):
        return list(names)
    parents = [PurePosixPath(image).parent.parts for image in images]
    if len({len(parts) for parts in parents}) == 1:
        differ = [level for level, parts in enumerate(zip(*parents, strict=True)) if len(set(parts)) > 1]
        parents = [tuple(parts[level] for level in differ) for parts in parents]
    longer = ["/".join((*parts, name)) for parts, name in zip(parents, names, strict=True)]
    count = Counter(longer)
    return [
        f"{name}{PurePosixPath(image).suffix}" if count[name] > 1 else name
        for name, image in zip(longer, images, strict=True)
    ]


def _unique(titles: Sequence[str]) -> list[str]:
    """Return a name for a file of each title; where several titles give one name, a hash is added to changed ones."""
    names = [file_name(title) for title in titles]
    count = Counter(names)
    return [
        f"{name[: LONGEST - 7]}_{_hash(title)}" if count[name] > 1 and name != title else name
        for title, name in zip(titles, names, strict=True)
    ]


def _hash(title: str) -> str:
    return hashlib.sha256(title.encode()).hexdigest()[:6]
