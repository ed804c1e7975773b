"""Which images are predicted, and what their results are called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from segstudy.core.errors import StudyError
from segstudy.core.names import readable
from segstudy.core.progress import logger
from segstudy.data.images.decode import no_permission
from segstudy.data.images.read import SUFFIXES
from segstudy.data.readers.discovery import counted, few, natural, relative
from segstudy.data.readers.left_out import OF_THE_SYSTEM

RESULTS = ("masks", "probabilities", "overlays")  # folders of what is made of each image


class Picture(NamedTuple):
    """An image file, and the name that its results get, with `/` where it lies in a folder that was given."""

    path: Path
    name: str
    plain: str = ""  # the name without the ending that tells `a.png` and `a.jpg` apart, which its region may have


def listed(images: Sequence[Path], out: Path) -> list[Picture]:
    """Return the images of files and folders, in natural order; what lies in `out` is none of them.

    Images that differ in their ending alone keep it in the names of their results. Files that are not read are logged.

    Raises:
        StudyError: something given is missing or may not be looked into, there is no image, two would have one name, or
            `out` is no folder beside or below the images'.
    """
    found: dict[str, Path] = {}
    own = Path(out).resolve()
    for given in images:
        path = Path(given)
        _check_beside(path, own)
        if path.is_dir():
            _check_permission(path)
            named = [(readable(p.relative_to(path).as_posix()), p) for p in _images_below(path, own)]
        elif path.is_file():
            named = [(readable(path.name), path)]
        else:
            raise StudyError("there is no such image or folder of images", where=path)
        for name, file in sorted(named, key=lambda item: natural(item[0])):
            if found.setdefault(name, file) != file:
                raise StudyError(
                    f"two images would both be '{_bare(name)}.png'",
                    where=f"{found[name]}, {file}",
                    remedy="give the folder above both, or predict them into different folders",
                )
    if not found:
        raise StudyError(
            "there is no image", where=", ".join(map(str, images)), allowed=f"files that end in {', '.join(SUFFIXES)}"
        )
    alike = Counter(_bare(name) for name in found)
    return [Picture(path, name if alike[_bare(name)] > 1 else _bare(name), _bare(name)) for name, path in found.items()]


def _bare(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _images_below(folder: Path, out: Path) -> list[Path]:
    """Return the visible images in a folder and all that is in it, but for `out`; log what is not read."""
    images, others = [], []
    for path in folder.rglob("*"):
        if path.name[0] == "." or path.name.casefold() in OF_THE_SYSTEM or out in path.resolve().parents:
            continue
        if path.suffix.casefold() in SUFFIXES and path.is_file():
            images.append(path)
        elif not path.is_dir():
            others.append(path)
    if others:
        names = few(relative(path, folder) for path in sorted(others))
        logger.warning("%s in %s left out, no image that is read: %s", counted(others, "file"), folder, names)
    return images


def _check_permission(folder: Path) -> None:
    """Raise a StudyError where a folder, or one in it, may not be looked into: images would be left out unsaid."""

    def stop(error: OSError) -> None:
        raise no_permission(error.filename) if isinstance(error, PermissionError) else error

    for above, _, names in os.walk(folder, onerror=stop):
        if names and not os.access(above, os.X_OK):
            raise no_permission(above)


def _check_beside(given: Path, out: Path) -> None:
    """Raise if results would come to lie among the images that they are made of, or over them.

    A folder of images in or below `out` might have a `masks` of its own; a file in one of the result folders would be
    replaced by its own result.
    """
    place = given.resolve()
    if given.is_dir() and (place == out or out in place.parents):
        where = "the folder of the images itself" if place == out else "a folder above the images"
    elif any(out / name in place.parents for name in RESULTS):
        where = "the folder whose results the image is one of"
    else:
        return
    raise StudyError(
        f"--out is {where}: results would lie among the images, and could replace some of them",
        where=f"images {given}, --out {out}",
        allowed="a folder beside the images, or one within their folder",
        remedy=f"name another one, for instance --out {given / 'found' if given.is_dir() else out.with_name('found')}",
    )
