"""Write files so that nobody ever reads half of one: temporary neighbour, fsync, rename."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from segstudy import csv_text
from segstudy.errors import StudyError
from segstudy.names import check_table
from segstudy.removal import remove_tree

LARGEST_ARCHIVE = 4_000_000_000  # bytes of an .npz file when it is unpacked


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; publish it under `path` when the block ends without error.

    The temporary name keeps the suffix of `path`, since many writers choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; it replaces `path` when the block ends without error.

    A link at `path` is replaced as well; what it leads to stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        remove_tree(path)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_folder(path: str | Path) -> None:
    """Raise if results cannot go into the folder `path` because it, or something above it, is a file.

    Raises:
        StudyError: saying which.
    """
    for place in (Path(path), *Path(path).parents):
        if place.exists():
            if not place.is_dir():
                raise StudyError(
                    "results go into a folder, and this is a file", where=place, remedy="name a folder, or a new name"
                )
            return


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically. Not-a-number is written as null: JSON has no NaN."""
    write_text(path, json.dumps(_without_nan(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write `table` without its index, atomically, with the same bytes for the same numbers.

    Text that a spreadsheet would run as a formula gets an apostrophe, which `read_csv` takes off (see `csv_text`).
    """
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if csv_text.has_carriage_return(table) else csv.QUOTE_MINIMAL
    with atomic_path(path) as temporary:
        csv_text.guarded(table).to_csv(temporary, index=False, lineterminator="\n", quoting=quoting)


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as one compressed `.npz`, atomically, with the same bytes for the same arrays."""
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)


def read_array(path: str | Path, mmap: bool = False) -> np.ndarray:
    """Read an `.npy` file, or map it into memory (read-only); its header is compared with the size of the file first.

    Raises:
        FileNotFoundError: there is none.
        StudyError: it is no `.npy` file of numbers, or of another size than its header says.
    """
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read_header = np.lib.format.read_array_header_2_0
            shape, _, dtype = read_header(file)
            held = os.fstat(file.fileno()).st_size - file.tell()
        needed = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or held != needed:
            raise ValueError(f"its header says {dtype} {shape}, {needed} bytes; the file holds {held}")
        array: np.ndarray = np.load(path, mmap_mode="r" if mmap and needed else None, allow_pickle=False)
    except (ValueError, SyntaxError, EOFError) as error:
        raise StudyError(
            f"the array cannot be read: {error}",
            where=path,
            remedy="remove it and run the same command again: it is made anew",
        ) from None
    return array


@contextmanager
def read_arrays(path: str | Path, largest: int = LARGEST_ARCHIVE) -> Iterator[Mapping[str, np.ndarray]]:
    """Yield the arrays of an `.npz` file by name, each read when it is asked for.

    Raises:
        StudyError: it is no such file, or takes more than `largest` bytes when it is unpacked.
    """
    try:
        check_archive(path, largest)
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except (ValueError, zipfile.BadZipFile, EOFError, zlib.error, MemoryError) as error:
        raise StudyError(
            f"the arrays cannot be read: {error}",
            where=path,
            remedy="remove it and run the same command again: it is made anew",
        ) from None


def check_archive(path: str | Path, largest: int) -> None:
    """Check, before anything is unpacked, that a zip file takes at most `largest` bytes when it is.

    Raises:
        zipfile.BadZipFile: it is no zip file.
        StudyError: it takes more.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(item.file_size for item in archive.infolist())
    if size > largest:
        raise StudyError(
            f"the file takes {size / 1e6:,.0f} MB when it is unpacked", where=path, allowed=f"{largest / 1e6:,.0f} MB"
        )


# Columns of names: read as they are, so that sample "01" stays "01" (and "NA" stays "NA"), and a column that is
# empty throughout (a data set without fields of view) comes back as empty strings, not as NaN.
TEXT = (
    *("sample", "image", "mask", "roi", "second_mask", "stratum", "group", "official_subset", "subset"),
    *("image_sha256", "mask_sha256", "roi_sha256", "second_mask_sha256", "problem", "mask_mode", "reason"),
    *("class", "region", "policy", "control", "dataset", "row", "model", "loss", "recipe", "metric", "averaging"),
)


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a CSV that `write_csv` wrote: numbers as the same float64 they were, TEXT columns as text.

    Raises:
        StudyError: a sample's name or the path of an image or mask leads out of its folder (see `segstudy.names`).
    """
    header = pd.read_csv(path, nrows=0).columns
    text = {column: str for column in header if column in TEXT}
    missing = {column: [""] for column in header if column not in TEXT}
    table = csv_text.unguarded(pd.read_csv(path, dtype=text, keep_default_na=False, na_values=missing))
    check_table(table, path)
    return table


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
