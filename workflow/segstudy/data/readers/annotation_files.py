"""What the readers of annotation files share: bounded reading, classes, files of one name, official subsets."""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from segstudy.config.classes_in_files import class_name
from segstudy.config.layout import Layout
from segstudy.core.errors import StudyError, nearest
from segstudy.core.names import readable
from segstudy.data.images.read_masks import read_colours, read_labels
from segstudy.data.images.shapes import MOST_VALUES, Drawn
from segstudy.data.readers.discovery import LOSSY_SUFFIXES, few, folders, natural, pictures, relative

LARGEST = 2_000_000_000  # bytes of an annotation file: parsed, it takes several times as much memory
_PEEKED = 65_536  # bytes at each end of a file that `looks_like` sees
_SUBSETS = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing", "ts"), "test"),
    **dict.fromkeys(("unlabelled", "unlabeled", "unsupervised"), "unlabelled"),
}
VOC_VOID = "#e0e0c0"
Parsed = TypeVar("Parsed")


class Block(BaseModel):
    """A part of an annotation file: what is not declared is passed over."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


class Sample(NamedTuple):
    """One image of a data set, and where its mask comes from."""

    name: str
    image: Path | bytes | Sequence[Path] | None  # a file, an encoded picture, a file for each channel; None: not there
    mask: Path | bytes | Callable[[], Drawn] | None
    subset: str = ""
    group: str = ""
    second_mask: Path | bytes | None = None
    roi: Path | bytes | Callable[[Path], np.ndarray] | None = None  # a function draws it from the image in a file


def read_bounded(path: Path) -> bytes:
    """Return the content of an annotation file.

    Raises:
        StudyError: it cannot be read, or is too large to be parsed.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise StudyError(
                f"the annotation file has {size / 1e9:.3g} GB",
                where=path,
                allowed=f"{LARGEST / 1e9:g} GB at most",
                remedy="export the annotations in several files",
            )
        return path.read_bytes()
    except OSError as error:
        raise StudyError(f"the annotation file cannot be read: {error.strerror}", where=path) from None


def read_text(path: Path) -> str:
    """Return the text of a list of names: UTF-8, with or without a byte order mark.

    Raises:
        StudyError: as `read_bounded`.
    """
    return read_bounded(path).decode("utf-8-sig", "replace")


def parse_json(path: Path, layout: type[Parsed] | TypeAdapter[Parsed], format_name: str) -> Parsed:
    """Read a JSON file of a known layout.

    Raises:
        StudyError: it cannot be read, is no JSON or cut, or has another layout; the message names the entry.
    """
    adapter = layout if isinstance(layout, TypeAdapter) else TypeAdapter(layout)
    try:
        return adapter.validate_json(read_bounded(path).removeprefix(BOM_UTF8))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        entry = ".".join(map(str, first["loc"]))
        raise StudyError(
            f"this is no {format_name} file: {f'{entry}: ' if entry else ''}{first['msg']}",
            where=path,
            remedy="the file may be cut off, or of another format: export it again",
        ) from None


def looks_like(path: Path, *words: bytes) -> bool:
    """Return whether all words stand in the first or last kilobytes of a file."""
    try:
        with path.open("rb") as file:
            seen = file.read(_PEEKED)
            file.seek(max(file.tell(), path.stat().st_size - _PEEKED))
            seen += file.read(_PEEKED)
    except OSError:
        return False
    return all(word in seen for word in words)


def annotation_files(
    root: Path, layout: Layout, suffix: str, looks: Callable[[Path], bool], what: str, allowed: str
) -> list[Path]:
    """Return the annotation files of a data set: those under `layout.masks`, or all that look right, sorted.

    Args:
        root: of the data set.
        layout: of the config.
        suffix: of the files.
        looks: whether a file looks like one of the format.
        what: such a file in words, for the message where there is none.
        allowed: the layout of the format, for the same message.

    Raises:
        StudyError: there is none, or `layout.masks` names neither a file nor a folder.
    """
    place = root / layout.masks if layout.masks else root
    if place.is_file():
        return [place]
    if not place.is_dir():
        known = [relative(path, root) for folder in folders(root, 2) for path in sorted(folder.glob(f"*{suffix}"))]
        raise StudyError(
            f"there is no file or folder '{layout.masks}'.{nearest(str(layout.masks), known)}",
            where=root,
            remedy="name the annotation file, or the folder of such files, by layout.masks",
        )
    matching = [
        path
        for folder in folders(place, 3)
        for path in folder.iterdir()
        if path.suffix.casefold() == suffix and not path.name.startswith(".") and path.is_file() and looks(path)
    ]
    if not matching:
        raise StudyError(f"no {what}", where=root, allowed=allowed)
    return sorted(matching, key=lambda path: natural(relative(path, root)))


def any_file(root: Path, suffix: str, looks: Callable[[Path], bool], most: int = 20) -> bool:
    """Return whether one of the first files of a folder, at most three levels down, looks right."""
    for folder in folders(root, 3):
        with suppress(OSError), os.scandir(folder) as entries:  # a folder may hold 100,000 images
            named = (Path(entry.path) for entry in entries if entry.name.casefold().endswith(suffix))
            if any(looks(path) for _, path in zip(range(most), named, strict=False)):
                return True
    return False


def subset_in(path: str) -> str:
    """Return the official subset that a file's or folder's name tells: `instances_train2017.json` is `train`."""
    for name in reversed(PurePosixPath(path).parts):
        for word in re.findall(r"[a-z]+", name.casefold()):
            if word in _SUBSETS:
                return _SUBSETS[word]
    return ""


def classes_of_values(masks: Sequence[Path], void: Sequence[int | str], most: int = 20) -> dict[str, Any]:
    """Return `classes` of a data set's block for the values (or colours) in its first masks, but 0 and `void`.

    Where nothing but `void` is drawn, as 255 in masks of one object, that is the class. VOC's colour of void is
    `ignore`.

    Raises:
        StudyError: a mask cannot be read.
    """
    seen: set[int | str] = set()
    for path in masks[:most]:
        try:
            seen |= set(np.unique(read_labels(path)[0]).tolist())
        except StudyError:  # colours
            seen |= {f"#{colour:06x}" for colour in np.unique(read_colours(path)[0]).tolist()}
    drawn = seen - {0, "#000000"}
    cream = {"ignore": VOC_VOID} if VOC_VOID in drawn and len(drawn) > 1 else {}
    values = sorted(drawn - {*void, *cream.values()} or drawn, key=str)
    return {"classes": {class_name("", value): value for value in values}, **cream}


def numbered_classes(names: Iterable[str], root: Path) -> dict[str, int]:
    """Return {class: its value in the masks that are drawn}: 1 and on, in the order of `names`.

    Raises:
        StudyError: they are more than a mask can hold.
    """
    values = {name: value for value, name in enumerate(dict.fromkeys(names), start=1)}
    if len(values) > MOST_VALUES:
        raise StudyError(
            f"shapes of {len(values)} classes are drawn",
            where=root,
            allowed=f"{MOST_VALUES} classes at most: a mask here has 8 bits, and one value is void",
            remedy="take shapes of the classes that the study does not need out of the files, or merge classes there",
        )
    return values


def by_stem(folder: Path | None, root: Path, repairs: list[str] | None = None) -> dict[str, Path]:
    """Return {name without ending, accents composed: picture} of the pictures in a folder.

    Args:
        folder: that is looked into.
        root: of the data set, for messages.
        repairs: where the pictures are masks: of one name the lossless file counts, and that is added here.

    Raises:
        StudyError: several pictures have one name.
    """
    paths_of: dict[str, list[Path]] = {}
    for path in pictures(folder):
        paths_of.setdefault(readable(path.stem), []).append(path)
    for name, paths in paths_of.items():
        lossless = [path for path in paths if path.suffix.casefold() not in LOSSY_SUFFIXES]
        if len(paths) > 1 and len(lossless) == 1 and repairs is not None:
            paths_of[name] = lossless
            repairs.append(f"{relative(lossless[0], root)} is used of {few(path.name for path in paths)}")
        elif len(paths) > 1:
            raise StudyError(
                f"several {'images' if repairs is None else 'masks'} are called '{name}': "
                f"{few(relative(path, root) for path in paths)}",
                where=root,
                remedy="keep one of them, or give them different names",
            )
    return {name: paths[0] for name, paths in paths_of.items()}


def subsets_of(files: Iterable[Path], root: Path) -> dict[Path, str]:
    """Return the official subset of each annotation file, none where there is one file only."""
    files = list(files)
    return {path: subset_in(relative(path, root)) if len(files) > 1 else "" for path in files}
