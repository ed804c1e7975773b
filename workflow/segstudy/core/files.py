"""Write files so that nobody ever reads half of one: temporary neighbour, fsync, rename.

Tables, JSON and arrays that later jobs read get a checksum beside them (`segstudy.core.checksums`); reading compares
it.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from segstudy.core import checksums, csv_text
from segstudy.core.errors import StudyError
from segstudy.core.names import check_table
from segstudy.core.removal import remove_tree

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_ARCHIVE = 4_000_000_000  # bytes of an .npz file when it is unpacked
SHORT = re.compile(r"\d+ requested and \d+ written")  # as numpy says it


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; publish it under `path` when the block ends without error.

    The temporary name keeps the suffix of `path`, since many writers choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        with _named(path):
            yield temporary
            _flush(temporary)
        checksums.unseal(path)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path, sealed: bool = False) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; it replaces `path` when the block ends without error.

    A link at `path` is replaced as well; what it leads to stays.

    Args:
        path: of the folder.
        sealed: whether it gets a sum of its files, see `segstudy.core.checksums`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        with _named(path):
            yield temporary
        temporary.chmod(0o777 & ~_umask())
        checksums.unseal(path)
        remove_tree(path)
        os.replace(temporary, path)
        _flush(path.parent)
        if sealed:
            checksums.seal_folder(path)
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


def write_picture(path: str | Path, picture: Image, **options: Any) -> None:
    """Write a picture in the format of the path's suffix (`options` are Pillow's), not atomically.

    It is encoded in memory: Pillow's JPEG writer takes no notice of a disk that is full after half of the bytes.
    """
    from PIL import Image as pillow

    stream = io.BytesIO()
    picture.save(stream, format=pillow.registered_extensions()[Path(path).suffix.lower()], **options)
    with _named(Path(path)):
        Path(path).write_bytes(stream.getvalue())


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any, sealed: bool = True) -> None:
    """Write `value` as indented JSON, atomically. Not-a-number is written as null: JSON has no NaN.

    Args:
        path: of the file.
        value: plain values.
        sealed: whether the file gets a sum; not inside a folder that has one, nor where nothing reads it again.
    """
    write_text(path, json.dumps(_without_nan(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if sealed:
        checksums.seal(path)


def read_json(path: str | Path, keys: Sequence[str] = ()) -> Any:
    """Read a JSON file.

    Args:
        path: of the file.
        keys: entries that it has to have; it is a mapping then.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is not what was written, is no JSON, or lacks an entry.
    """
    try:
        found = json.loads(checksums.content(path).decode("utf-8"))
    except ValueError as error:
        raise checksums.damaged(path, f"it is no JSON ({error})") from None
    if keys and not isinstance(found, dict):
        raise checksums.damaged(path, f"it holds {type(found).__name__}, not entries with names")
    missing = [key for key in keys if key not in found]
    if missing:
        raise checksums.damaged(path, f"it has no entry {', '.join(map(repr, missing))}")
    return found


def write_csv(path: str | Path, table: pd.DataFrame, sealed: bool = True) -> None:
    """Write `table` without its index, atomically, with the same bytes for the same numbers; `sealed` as for JSON.

    Text that a spreadsheet would run as a formula gets an apostrophe, which `read_csv` takes off (see `csv_text`).
    """
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if csv_text.has_carriage_return(table) else csv.QUOTE_MINIMAL
    with atomic_path(path) as temporary:
        csv_text.guarded(table).to_csv(temporary, index=False, lineterminator="\n", quoting=quoting)
    if sealed:
        checksums.seal(path, rows=len(table))


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as one compressed `.npz`, atomically, with the same bytes for the same arrays."""
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
    checksums.seal(path)


def read_arrays(path: str | Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read named arrays of an `.npz`.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is not what was written, is no such file, or lacks one of `names`.
    """
    try:
        check_archive(path, LARGEST_ARCHIVE)
        with np.load(io.BytesIO(checksums.content(path)), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except KeyError as error:
        raise checksums.damaged(path, f"it has no array {error}") from None
    except (
        ValueError,
        EOFError,
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        AttributeError,
        TypeError,
        MemoryError,
    ) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise checksums.damaged(path, f"it is no file of arrays ({_first_line(error)})") from None


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write one array as `.npy`, atomically."""
    with atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)
    checksums.seal(path)


def read_array(path: str | Path, mmap: bool = False) -> np.ndarray:
    """Read one array of an `.npy`: its content compared with its sum, or (`mmap`) opened in place, its size compared.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is not what was written, or is no array.
    """
    try:
        held = _check_header(path)
        if mmap:
            checksums.check_size(path)
            return np.asanyarray(np.load(path, mmap_mode="r" if held else None, allow_pickle=False))
        return np.asarray(np.load(io.BytesIO(checksums.content(path)), allow_pickle=False))
    except (ValueError, EOFError, OSError, SyntaxError, TypeError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise checksums.damaged(path, f"it is no array, or not the whole of one ({_first_line(error)})") from None


def _check_header(path: str | Path) -> int:
    """Return the bytes of the values of an `.npy` file, those of its header: no more memory is asked for than it holds.

    Raises:
        ValueError: they differ, or it is no file of numbers.
    """
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        held = os.fstat(file.fileno()).st_size - file.tell()
    needed = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or held != needed:
        raise ValueError(f"its header says {dtype} {shape}, {needed} bytes; the file holds {held}")
    return held


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


def read_csv(path: str | Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV that `write_csv` wrote: numbers as the same float64 they were, TEXT columns as text.

    Args:
        path: of the file.
        columns: those that it has to have.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is not what was written, is no table, lacks a column, or a name in it leads out of its folder
            (see `segstudy.core.names`).
    """
    content = checksums.content(path)
    try:
        header = pd.read_csv(io.BytesIO(content), nrows=0).columns
        text = {column: str for column in header if column in TEXT}
        missing = {column: [""] for column in header if column not in TEXT}
        table = pd.read_csv(io.BytesIO(content), dtype=text, keep_default_na=False, na_values=missing)
    except (ValueError, pd.errors.ParserError) as error:  # no columns, no UTF-8, a row that is too long
        raise checksums.damaged(path, f"it is no table ({_first_line(error)})") from None
    absent = [column for column in columns if column not in table]
    if absent:
        raise checksums.damaged(path, f"it has no column {', '.join(map(repr, absent))}")
    table = csv_text.unguarded(table)
    check_table(table, path)
    return table


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give an error of writing the name of its file, and the number that a short write of an array lacks."""
    try:
        yield
    except OSError as error:
        short = SHORT.search(str(error)) is not None
        if error.filename is not None or not (error.errno or short):
            raise
        number = error.errno or errno.ENOSPC
        raise OSError(number, os.strerror(number), str(path)) from error


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
