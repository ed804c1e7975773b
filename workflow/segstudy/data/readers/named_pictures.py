"""The pictures of a data set, found by the names that annotation files give them.

The names are compared with the pictures that lie below the root. They are never opened as paths, so that no file can
lead out of the root.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple
from urllib.parse import unquote

from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError
from segstudy.core.names import readable
from segstudy.data.images.encoded import size_of
from segstudy.data.images.read import image_size
from segstudy.data.images.reading import AS_STORED
from segstudy.data.readers.annotation_files import subset_in
from segstudy.data.readers.discovery import counted, few, folders, natural, pictures, relative

UPRIGHT = AS_STORED._replace(upright=True)
_ENDS = 3  # parts of a path by which pictures are looked up


class _Found(NamedTuple):
    """A name in an annotation file, and the picture that was found for it."""

    folder: str  # that the name says, below the root
    name: str
    file: Path
    picture: Path
    alike: int  # how many names of folders the picture's place has in common with `folder`


class Pictures:
    """The pictures below a root; names and files are compared with accents composed."""

    def __init__(self, root: Path, layout: Layout) -> None:
        """List the pictures below `root`, or below `layout.images`.

        Raises:
            StudyError: there is no such folder, or no picture in it.
        """
        self.root = root
        top = root / layout.images if layout.images else root
        if not top.is_dir():
            raise StudyError(f"there is no folder '{layout.images}'", where=root, remedy="mend layout.images")
        self.places: dict[str, Path] = {}  # path below the root -> picture
        self.by_end: dict[tuple[str, ...], list[Path]] = {}  # file name, with up to two folders before it
        for folder in folders(top, 4):
            for path in pictures(folder):
                self.places[readable(path.relative_to(root).as_posix())] = path
                for count in range(1, _ENDS + 1):
                    self.by_end.setdefault(tuple(map(readable, path.parts[-count:])), []).append(path)
        self.found: list[_Found] = []

    def find(self, name: str, file: Path, subset: str = "", beside: bool = False) -> Path | None:
        """Return the picture that the annotation file `file` calls `name`; None where there is none.

        Of several pictures of one file name it is the one whose folders fit the name best, then the one nearest to
        the annotation file, then the one in a folder of the file's `subset`. `beside`: names begin at the annotation
        file's folder, not at one that nobody knows: a picture in that very place is the one. `check` tells of pictures
        that are other ones than the names say.

        Raises:
            StudyError: several pictures fit equally well.
        """
        path = PurePosixPath(PureWindowsPath(unquote(name) if "%" in name else name).as_posix())
        parts = tuple(map(readable, path.parts))
        start = readable(relative(file.parent, self.root)) if beside else ""
        named = posixpath.normpath(posixpath.join(start, *parts))
        ends = (parts[-count:] for count in range(min(_ENDS, len(parts)), 0, -1))  # thousands may have one file name
        candidates = next((self.by_end[end] for end in ends if end in self.by_end), [])
        candidates = [self.places[named]] if beside and named in self.places else candidates
        candidates = _best(candidates, lambda path: _common(tuple(map(readable, path.parts[::-1])), parts[::-1]))
        candidates = _best(candidates, lambda path: int(file.parent in path.parents))
        candidates = _best(
            candidates, lambda path: int(bool(subset) and subset_in(relative(path.parent, self.root)) == subset)
        )
        if len(candidates) > 1:
            raise StudyError(
                f"several pictures fit the name '{name}': {few(relative(path, self.root) for path in candidates)}",
                where=file,
                remedy="name the folder of the pictures by layout.images, or keep one of them",
            )
        if not candidates:
            return None
        folder, place = posixpath.dirname(named), readable(relative(candidates[0].parent, self.root))
        self.found.append(_Found(folder, named, file, candidates[0], _alike(folder, place)))
        return candidates[0]

    def check(self, repairs: list[str]) -> None:
        """Look at all that was found; add to `repairs` the pictures that no annotation names.

        A picture in another folder than its name says was moved, or is another picture of the same file name. It is
        another one where file names are not unique or a second name means it; otherwise it is told in `repairs`.
        Folders tell nothing where no picture lies in the one that the names say: annotations keep the paths of the
        machine they were drawn on.

        Raises:
            StudyError: a name was given another picture, or two annotations name one picture.
        """
        most: dict[str, int] = {}
        for found in self.found:
            most[found.folder] = max(found.alike, most.get(found.folder, 0))
        times = Counter(found.picture for found in self.found)
        moved = [found for found in self.found if found.alike < most[found.folder]]
        unique = all(len(paths) == 1 for end, paths in self.by_end.items() if len(end) == 1)
        if moved and not (unique and all(times[found.picture] == 1 for found in moved)):
            raise StudyError(
                f"{len(moved)} of {counted(self.found, 'image')} that the annotations name are not below the root: "
                f"{self._said(moved)}",
                where=few(dict.fromkeys(str(found.file) for found in moved)),
                remedy="put them where the names say, take them out of the annotations, or mend the names there",
            )
        if moved:
            repairs.append(f"pictures that lie in another folder than their names say: {self._said(moved)}")
        self._check_twice(times)
        lone = sorted((relative(path, self.root) for path in {*self.places.values()} - set(times)), key=natural)
        if lone:
            repairs.append(f"{len(lone)} pictures that no annotation names are left out: {few(lone)}")

    def _said(self, moved: Sequence[_Found]) -> str:
        return few(f"{found.name} (of that file name: {relative(found.picture, self.root)})" for found in moved)

    def _check_twice(self, times: Counter[Path]) -> None:
        picture = next((picture for picture, count in times.items() if count > 1), None)
        if picture is None:
            return
        first, *_, last = (found for found in self.found if found.picture == picture)
        raise StudyError(
            f"{relative(picture, self.root)} is annotated twice, in {relative(first.file, self.root)} too",
            where=last.file,
            remedy="name one of the files by layout.masks, or take one annotation out; or put the picture that one of "
            "them means below the root",
        )


def size_in(height: int | None, width: int | None, picture: Path | bytes | None, file: Path) -> tuple[int, int]:
    """Return (height, width) as an annotation `file` says, or where it does not that of the picture in a viewer.

    Raises:
        StudyError: the picture cannot be read.
    """
    if height is not None and width is not None:
        return height, width
    if picture is None:
        return 0, 0  # a picture that is not there is told as that
    across, down = (
        size_of(picture, f"{file}, imageData") if isinstance(picture, bytes) else image_size(picture, UPRIGHT)
    )
    return down, across


def _alike(one: str, other: str) -> int:
    """Return how many names of folders two paths have in common, wherever they stand."""
    return sum((Counter(PurePosixPath(one).parts) & Counter(PurePosixPath(other).parts)).values())


def _best(paths: list[Path], score: Callable[[Path], int]) -> list[Path]:
    if len(paths) < 2:
        return paths
    most = max(map(score, paths))
    return [path for path in paths if score(path) == most]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many parts two sequences have in common at their beginning."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
