"""Find official subsets that lists or names of images tell, and that are not read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from segstudy.core.names import readable
from segstudy.data.readers.annotation_files import subset_in
from segstudy.data.readers.discovery import few, folders, natural, relative

DEPTH = 3  # levels of folders below the root in which lists are looked for
_LISTS = (".txt", ".lst")
_PEEKED = 4096  # bytes of a list that are looked at
_BEGINS = re.compile(r"(train|val|test)", re.IGNORECASE)
_DO = "if these are official subsets, name them in a column subset of samples.csv, or a split mixes them"


def subsets_not_read(rows: Sequence[Mapping[str, str]], root: Path, table: Path | None) -> list[str]:
    """Return a sentence on lists of subsets, and one on names of images that begin with one, where none is read.

    Args:
        rows: of the images, with `image` and `official_subset`.
        root: of the data set.
        table: its table of samples, if it has one.
    """
    if any(row.get("official_subset") for row in rows):
        return []
    stems = {readable(PurePosixPath(row["image"]).stem) for row in rows}
    lists = [relative(path, root) for path in _files(root) if path != table and _first_name(path) in stems]
    said = [f"lists that are not read: {few(sorted(lists, key=natural))}; {_DO}"] if lists else []
    begins = {stem: match[1].casefold() for stem in stems if (match := _BEGINS.match(stem))}
    if len(begins) == len(stems) and len({*begins.values()}) > 1:
        words = few(sorted({re.split(r"[\W_\d]", stem, maxsplit=1)[0] for stem in begins}))
        said.append(f"names of all images begin with {words}; {_DO}")
    return said


def _files(root: Path) -> Iterator[Path]:
    """Yield the files that are called like lists of subsets: train.txt, ImageSets/val.txt, test_ids.lst."""
    for folder in folders(root, DEPTH):
        with suppress(OSError), os.scandir(folder) as entries:
            names = [e.name for e in entries if e.name.casefold().endswith(_LISTS) and e.name[0] != "."]
            yield from (folder / name for name in names if subset_in(name) or "trainval" in name.casefold())


def _first_name(path: Path) -> str:
    """Return the name, without folders and ending, that stands first in a list; "" where it holds none."""
    with suppress(OSError), path.open("rb") as file:
        words = re.split(r"[,;\t\r\n]|\s", readable(file.read(_PEEKED).decode("utf-8-sig", "replace")).strip())
        name = PurePosixPath(words[0].strip("\"'").replace("\\", "/")).name
        return re.sub(r"\.[A-Za-z]{3,4}$", "", name)
    return ""
