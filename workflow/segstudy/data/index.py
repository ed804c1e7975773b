"""The index of a data set: one row a sample, as its reader lists them, checked and completed with hashes."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pandas as pd

from segstudy.config.layout import Layout
from segstudy.config.paths import CONVERTED_MANIFEST
from segstudy.config.readers import READERS, WITH_LAYOUT
from segstudy.core.checksums import damaged
from segstudy.core.errors import StudyError
from segstudy.core.names import FILE_COLUMNS, check_sample_names, file_columns
from segstudy.core.progress import track
from segstudy.data.images.decode import TooLarge, no_permission
from segstudy.data.images.locate import locate
from segstudy.data.images.read import files_of, image_size
from segstudy.data.images.reading import AS_STORED, Reading
from segstudy.data.readers import converted
from segstudy.data.readers.discovery import COLUMNS, closed, few, natural, relative
from segstudy.data.readers.groups_table import with_groups
from segstudy.data.readers.left_out import broken_links, links_said
from segstudy.data.readers.registry import reader_module
from segstudy.data.value_range import value_range

MOST_NAMED = 50  # files in one message
SUBSETS = ("train", "val", "test", "unlabelled", "")

Result = TypeVar("Result")
logger = logging.getLogger("segstudy")


def build_index(
    reader: str,
    root: str | Path,
    *,
    layout: Layout | None = None,
    reading: Reading = AS_STORED,
    dataset: str = "",
    threads: int | None = None,
) -> pd.DataFrame:
    """Return the index of a raw data set: one row per image, columns as in docs/file-formats.md.

    `layout` and `reading` are the data set's in the config, `dataset` its name there (the reader's, unless told), for
    the messages. Only headers are decoded, and images of more than 8 bits a channel, for the range of their values;
    every file is read once for its SHA-256.

    Raises:
        StudyError: the root is missing or holds something else, a sample name is not unique or not usable as a
            file name, a file is missing or may not be read, an image's header cannot be read, or a picture has more
            pixels than are allowed.
    """
    module, root = reader_module(reader), Path(root)
    check_root(module, root, dataset or reader)
    frame = list_samples(reader, root, layout)
    repairs = list(frame.attrs.get("repairs", []))
    _validate(frame, root, module.TITLE)
    frame = frame.sort_values("sample", key=lambda names: names.map(natural)).reset_index(drop=True)
    paths = [root / path for path in frame["image"]]
    sizes = _sizes(paths, reading, module.TITLE, threads)
    frame["width"] = [width for width, _ in sizes]
    frame["height"] = [height for _, height in sizes]
    columns = file_columns(frame)
    masks = [path for column in columns[1:] for path in frame[column] if path]
    _in_threads(_check_large, [root / path for path in masks], f"{module.TITLE}: headers of masks", threads)
    present = [path for column in columns for path in frame[column] if path]
    sums = _in_threads(hash_of, [root / path for path in present], f"{module.TITLE}: checksums", threads)
    known = dict(zip(present, sums, strict=True))
    for column in columns:
        frame[f"{column}_sha256"] = [known.get(path, "") for path in frame[column]]
    if not reading.ranged:
        low, high = value_range(paths, reading, f"{module.TITLE}: values", threads or _threads()) or (0, 0)
        reading = reading._replace(low=low, high=high)
    if reading != AS_STORED:
        frame["reading"] = str(reading)
    frame.attrs["repairs"] = repairs
    for repair in repairs:
        logger.warning("%s: %s", module.TITLE, repair)
    return frame


def repairs(
    index: pd.DataFrame, reader: str, root: str | Path, layout: Layout | None = None, where: str | Path = "index.csv"
) -> list[str]:
    """Return what the reader repairs or leaves out under `root`, one sentence each (an index on disk has lost them).

    An index that was cut between two rows is a table like any other: only the raw folder tells what it has lost.

    Args:
        index: of the data set, as `where` holds it.
        reader: of the data set.
        root: of the raw data.
        layout: of the data set in the config.
        where: the file of the index.

    Raises:
        StudyError: the index does not list the images that the reader does.
    """
    listed = list_samples(reader, Path(root), layout)
    names, present = [str(name) for name in index["sample"]], set(listed["sample"])
    lost, strange = sorted(present - set(names), key=natural), sorted(set(names) - present, key=natural)
    if lost or strange or len(names) > len(present):
        words = (("missing", lost), ("without a file", strange))
        said = "; ".join(f"{what}: {few(some)}" for what, some in words if some) or "an image stands in it twice"
        problem = f"it lists {len(names)} images, the folder of the data set has {len(present)}; {said}"
        raise damaged(where, problem)
    return list(listed.attrs.get("repairs", []))


def list_samples(reader: str, root: Path, layout: Layout | None) -> pd.DataFrame:
    """Return the samples that a reader lists under `root`, before their files are looked at.

    Raises:
        StudyError: there is nothing that it can list.
    """
    module, shut, broken = reader_module(reader), closed(root), broken_links(root)
    try:
        if (root / CONVERTED_MANIFEST).is_file():
            frame = converted.index(root)
        else:
            frame = module.index(root, layout) if reader in WITH_LAYOUT else module.index(root)
            if reader != "folder":  # that one follows it itself
                frame = with_groups(frame, root, layout)
    except StudyError as error:
        if shut:
            raise _no_permission(shut, root, error.what) from None
        if broken:
            what = f"{error.what} ({links_said(broken)})"
            raise StudyError(what, where=error.where, allowed=error.allowed, remedy=error.remedy) from None
        raise
    said = [*frame.attrs.get("repairs", [])]
    if shut:
        said.append(f"no permission to look into {few(relative(path, root) for path in shut)}: left out")
    frame.attrs["repairs"] = [*said, *([links_said(broken)] if broken else [])]
    return frame


def _sizes(paths: list[Path], reading: Reading, title: str, threads: int | None) -> list[tuple[int, int]]:
    """Return (width, height) of images.

    Raises:
        StudyError: naming all whose header cannot be read.
    """

    def size(path: Path) -> tuple[int, int] | StudyError:
        try:
            return image_size(path, reading)
        except StudyError as error:
            return error

    sizes = _in_threads(size, paths, f"{title}: headers", threads)
    errors = [error for error in sizes if isinstance(error, StudyError)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        lines = [f"{error.where}: {error.what}" for error in errors[:MOST_NAMED]]
        lines += [f"and {len(errors) - MOST_NAMED} more"] * (len(errors) > MOST_NAMED)
        raise StudyError(
            f"{len(errors)} of {len(paths)} images cannot be used: {'; '.join(lines)}",
            remedy="; ".join(dict.fromkeys(error.remedy for error in errors)),
        )
    return [size for size in sizes if not isinstance(size, StudyError)]


def _no_permission(shut: Sequence[Path], root: Path, without: str) -> StudyError:
    """Return the error about folders that may not be looked into, and what is missing `without` them."""
    error = no_permission(shut[0])
    more = f" (nor into {few(relative(path, root) for path in shut[1:])})" if len(shut) > 1 else ""
    return StudyError(f"{error.what}{more}; without it: {without}", where=shut[0], remedy=error.remedy)


def check_root(module: ModuleType, root: Path, dataset: str) -> None:
    """Check that a folder holds what a reader's module reads.

    Raises:
        StudyError: it is not there, may not be entered, or holds something else.
    """
    keys = f"set datasets.{dataset}.root (relative roots lie below data_root) to the folder that holds {module.TITLE}"
    if not root.is_dir():
        problem = "is a file, not a folder" if root.exists() else "does not exist"
        raise StudyError(f"the folder of {module.TITLE} {problem}", where=root, allowed=module.LAYOUT, remedy=keys)
    if closed(root, 0):
        raise no_permission(root)
    own_words = module.__name__.endswith(".folder")  # this reader says itself what it misses
    if own_words or (root / CONVERTED_MANIFEST).is_file() or module.recognises(root):
        return
    others = [other for name in READERS if (other := reader_module(name)) is not module and other.recognises(root)]
    looks = f"; this looks like {others[0].TITLE}" if others else ""
    if shut := closed(root):
        raise _no_permission(shut, root, f"no {module.TITLE} data here{looks}")
    found = sorted(path.name for path in root.iterdir())[:8]
    raise StudyError(
        f"no {module.TITLE} data here{looks}",
        where=f"{root} (holds {', '.join(found) if found else 'nothing'})",
        allowed=module.LAYOUT,
        remedy=keys,
    )


def _validate(frame: pd.DataFrame, root: Path, title: str) -> None:
    if frame.empty:
        raise StudyError(f"no images of {title} found", where=root)
    columns = file_columns(frame)
    optional = {"title", *columns[len(FILE_COLUMNS) :]}
    if [name for name in frame.columns if name not in optional] != list(COLUMNS):
        raise ValueError(f"the reader of {title} gives columns {list(frame.columns)}, needed are {list(COLUMNS)}")
    twice = frame[frame["sample"].duplicated(keep=False)]
    if len(twice):
        name = twice["sample"].iloc[0]
        files = ", ".join(twice.loc[twice["sample"] == name, "image"])
        raise StudyError(
            f"{title}: {len(twice)} images share a sample name, the first being '{name}': {files}",
            where=root,
            remedy="keep one of the files",
        )
    check_sample_names(frame["sample"], root)
    odd = sorted(set(frame["official_subset"]) - set(SUBSETS))
    if odd:
        raise ValueError(f"the reader of {title} gives official subsets {odd}")
    for column in columns:
        for path in frame[column]:
            stored = files_of(root / path) if path else []
            if path and not (stored and locate(stored[0]).file.is_file()):
                raise StudyError(f"{title}: the {column} file is missing", where=root / path)


def _check_large(path: Path) -> None:
    """Raise a StudyError where a mask has too many pixels; other faults are told when all files are decoded."""
    for one in files_of(path):
        try:
            image_size(one)
        except TooLarge:
            raise
        except StudyError:
            pass


def hash_of(path: Path) -> str:
    """Return the hash of a file; of several that are one mask, that of their hashes; of a page, with its number."""
    sums = []
    for one in files_of(path):
        file, page = locate(one)
        with file.open("rb") as opened:
            sums.append(hashlib.file_digest(opened, "sha256").hexdigest())
        if page is not None:
            sums[-1] = hashlib.sha256(f"{sums[-1]} page {page}".encode()).hexdigest()
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def _threads() -> int:
    return min(8, os.cpu_count() or 1)


def _in_threads(work: Callable[[Path], Result], paths: list[Path], what: str, threads: int | None) -> list[Result]:
    with ThreadPoolExecutor(threads or _threads()) as pool:
        return list(track(pool.map(work, paths), what, total=len(paths)))
