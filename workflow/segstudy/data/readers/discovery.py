"""Find folders and files in raw data: names may differ in case and spaces, the root may be a level too high or low."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sized
from pathlib import Path
from typing import TypeVar

import pandas as pd

from segstudy.core.errors import StudyError
from segstudy.core.names import FILE_COLUMNS, file_columns, on_disk, spelled
from segstudy.data.images.read import SUFFIXES

COLUMNS = ("sample", "image", "mask", "roi", "second_mask", "stratum", "group", "official_subset")

LOSSY_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".jp2", ".j2k", ".webp", ".avif", ".heic", ".heif")
Key = TypeVar("Key", bound=Hashable)


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts 2 before 10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts)


def plain(name: str) -> str:
    """Return a name without case, spaces, '_' and '-', to compare the spellings of one folder."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def folders(root: Path, depth: int) -> Iterator[Path]:
    """Yield `root` and the visible folders below it, level by level, sorted; `depth` levels down, never in a circle.

    Folders that may not be entered are passed over: a root is often a disk with a `lost+found`.
    """
    level: list[tuple[Path, tuple[str, ...]]] = [
        (root, (os.path.realpath(root),))
    ]  # with the real paths of the folders above
    for _ in range(depth + 1):
        yield from (folder for folder, _ in level)
        below = [(path, above) for folder, above in level for path in subfolders(folder) if _open(path)]
        real = [(path, above, os.path.realpath(path)) for path, above in below]
        level = [(path, (*above, real_path)) for path, above, real_path in real if real_path not in above]


def in_circle(folder: Path) -> bool:
    """Return whether a link leads to a folder in which it lies."""
    return folder.is_symlink() and os.path.realpath(folder.parent).startswith(os.path.realpath(folder))


def subfolders(folder: Path) -> list[Path]:
    """Return the visible folders in `folder`, sorted; none where it may not be entered."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                folder / e.name for e in entries if not e.name.startswith((".", "__MACOSX")) and _is_folder(e)
            )
    except PermissionError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one; without a look at each of 100,000 files."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def child(folder: Path, *names: str) -> Path | None:
    """Return the first visible folder in `folder` whose `plain` name is one of `names`."""
    return next((path for path in subfolders(folder) if plain(path.name) in names), None)


def only(copies: list[Path], what: str, root: Path, layout: str) -> Path:
    """Return the one folder of a data set.

    Raises:
        StudyError: there are several, or there is none.
    """
    if len(copies) != 1:
        raise StudyError(
            f"{len(copies)} {what}: {few(relative(copy, root) or '.' for copy in copies)}",
            where=root,
            allowed=layout,
            remedy="point the root at the one to use",
        )
    return copies[0]


def closed(root: Path, depth: int = 4) -> list[Path]:
    """Return `root` and the visible folders below it, `depth` levels down, that this user may not look into.

    `lost+found`, which every disk has, does not count.
    """
    if not _open(root):
        return [root]
    if depth == 0:
        return []
    below = [folder for folder in subfolders(root) if folder.name != "lost+found"]
    return [path for folder in below for path in closed(folder, depth - 1)]


def _open(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.X_OK)


def pictures(folder: Path | None) -> list[Path]:
    """Return the visible image files directly in `folder`, in natural order; none where there is no folder."""
    if folder is None:
        return []
    with os.scandir(folder) as entries:
        named = [e for e in entries if os.path.splitext(e.name)[1].casefold() in SUFFIXES and e.name[0] != "."]
        names = [e.name for e in named if (os.path.isfile(e.path) if e.is_symlink() else e.is_file())]
    return [folder / name for name in sorted(names, key=natural)]


def has_pictures(folder: Path) -> bool:
    """Return whether there are image files in a folder or up to two levels below it, where one may look into it."""
    return _open(folder) and not in_circle(folder) and any(pictures(below) for below in folders(folder, 2))


def truest(paths: Iterable[Path]) -> list[Path]:
    """Return paths with lossless formats first."""
    return sorted(paths, key=lambda p: (SUFFIXES.index(p.suffix.casefold()), natural(p.name)))


def best(paths: list[Path], root: Path, repairs: list[str]) -> Path:
    """Return the truest of the files of one picture; if there are several, say so in `repairs`."""
    if len(paths) > 1:
        repairs.append(f"{relative(truest(paths)[0], root)} is used of {few(path.name for path in paths)}")
    return truest(paths)[0]


def numbered(folder: Path | None, pattern: re.Pattern[str], root: Path, repairs: list[str]) -> dict[int, Path]:
    """Return {number: picture} of the pictures in `folder` whose name matches `pattern`, the number its first group.

    If a picture is there in several formats, the truest is used; that, and other names, are added to `repairs`.

    Raises:
        StudyError: different names with one number.
    """
    by_number: dict[int, list[Path]] = {}
    unmatched = []
    for path in pictures(folder):
        match = pattern.fullmatch(path.stem)
        if match:
            by_number.setdefault(int(match[1]), []).append(path)
        else:
            unmatched.append(relative(path, root))
    if unmatched:
        repairs.append(f"no number in the name, left out: {few(unmatched)}")
    for number, paths in by_number.items():
        if len({plain(path.stem) for path in paths}) > 1:
            raise StudyError(
                f"number {number} names several files: {few(path.name for path in paths)}",
                where=folder,
                remedy="keep the original of the release; augmented copies do not belong in the raw data",
            )
    return {number: best(paths, root, repairs) for number, paths in sorted(by_number.items())}


def say_unpaired(
    repairs: list[str],
    images: Collection[Key],
    files: Collection[Key],
    alone: str,
    missing: str = "",
    name: Callable[[Key], str] = str,
) -> None:
    """Add to `repairs` the files without an image (`alone`) and the images without a file (`missing`)."""
    without = [key for key in files if key not in images]
    lacking = [key for key in images if key not in files]
    if without:
        repairs.append(f"{alone} without an image, left out: {few(map(name, without))}")
    if lacking and missing:
        repairs.append(f"{missing} for {len(lacking)} of {len(images)} images: {few(map(name, lacking))}")


def relative(path: Path | None, root: Path) -> str:
    """Return `path` below `root` in POSIX form, as an index names it; an empty string for None.

    Raises:
        StudyError: its name looks like the spelling of another one.
    """
    name = path.relative_to(root).as_posix() if path else ""
    if on_disk(spelled(name)) != name:
        raise StudyError(
            "the name holds a backslash, 'x' and two digits: an index spells bytes so that are no UTF-8, and names "
            "another file",
            where=path,
            remedy="rename the file",
        )
    return spelled(name)


def frame(rows: list[dict[str, str]], repairs: list[str]) -> pd.DataFrame:
    """Return a reader's rows as a table with all of `COLUMNS`, absent values empty, and its repairs as attribute.

    Where any sample is called otherwise than its file, there is a column `title` as well; further masks of annotators
    have columns where any sample has one.
    """
    columns = [*COLUMNS, *(["title"] if any(row.get("title") for row in rows) else [])]
    columns += file_columns({column for row in rows for column in row if row[column]})[len(FILE_COLUMNS) :]
    table = pd.DataFrame([{column: row.get(column, "") for column in columns} for row in rows], columns=columns)
    table.attrs["repairs"] = repairs
    return table


def counted(items: Sized, noun: str) -> str:
    """Return how many there are, such as `1 file` or `2 files`."""
    return f"{len(items)} {noun}{'s' * (len(items) != 1)}"


def few(names: Iterable[str]) -> str:
    """Return up to five names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
