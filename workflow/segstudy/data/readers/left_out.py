"""Say which files of a data set are not read, and why."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from segstudy.core.names import spelled
from segstudy.data.images.read import SUFFIXES
from segstudy.data.readers.discovery import counted, few, folders, has_pictures, in_circle, relative, subfolders

HEIC = (".heic", ".heif")
OF_THE_SYSTEM = ("thumbs.db", "desktop.ini")  # no person has put them there


def broken_links(root: Path, depth: int = 4) -> list[str]:
    """Return the links in `root` and the folders below it, `depth` levels down, that lead to nothing or in a circle."""
    broken = []
    for folder in folders(root, depth):
        with os.scandir(folder) as entries:
            links = [Path(entry.path) for entry in entries if entry.is_symlink() and entry.name[0] != "."]
        broken += [relative(link, root) for link in links if not os.path.exists(link) or in_circle(link)]
    return sorted(broken)


def links_said(broken: Sequence[str]) -> str:
    """Return the sentence on links that lead nowhere."""
    return f"links that lead nowhere or in a circle, left out: {few(broken)}"


def files_not_read(folder: Path, table: Path | None = None) -> list[str]:
    """Return a sentence for each reason why visible files in `folder`, but for a table, are not read as pictures.

    Links that lead nowhere have a sentence of their own.
    """
    others: list[Path] = []
    for path in sorted(folder.iterdir()):
        usual = path.name[0] == "." or path.name.casefold() in OF_THE_SYSTEM or path == table
        if not usual and path.suffix.casefold() not in SUFFIXES and path.is_file():
            others.append(path)
    heic = [path.name for path in others if path.suffix.casefold() in HEIC]
    unknown = [path for path in others if path.name not in heic]
    said = []
    if heic:
        how = "they need the package pillow-heif: pip install -e '.[heic]'"
        said.append(f"{folder.name}: {counted(heic, 'HEIC file')} left out, {how}: {few(map(spelled, heic))}")
    if unknown:
        endings = few(sorted({path.suffix or "no ending" for path in unknown}))
        names = few(spelled(path.name) for path in unknown)
        number = counted(unknown, "file")
        said.append(f"{folder.name}: {number} left out, no image format that is read ({endings}): {names}")
    return said


def folders_not_read(folder: Path, used: Sequence[Path], above: Collection[Path], root: Path) -> list[str]:
    """Return a sentence on the folders in `folder` that hold pictures and are none of `used`, nor `above` some."""
    strange = [p for p in subfolders(folder) if p not in used and p not in above and has_pictures(p)]
    if not strange:
        return []
    names = few(relative(p, root) for p in strange)
    return [f"{folder.name} holds pictures itself, so folders in it are not read, left out: {names}"]
