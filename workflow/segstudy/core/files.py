"""Files and folders written atomically (temporary neighbour, fsync, rename), and the JSON and CSV files of a study.

Files that later jobs read get a checksum beside them (`segstudy.core.checksums`), which is compared when they are read.
Arrays: `segstudy.core.arrays`.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from segstudy.core import checksums, csv_text
from segstudy.core.errors import StudyError, first_line
from segstudy.core.names import check_table, file_columns
from segstudy.core.removal import remove_tree

if TYPE_CHECKING:
    from PIL.Image import Image

# pandas keeps text in pyarrow where that is installed; with an extra for data sets, tables would be made by other code.
pd.set_option("mode.string_storage", "python")

SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")  # numpy's message


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; publish it under `path` when the block ends without error.

    The temporary name keeps the suffix of `path`, since many writers choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        with _with_file_name(path):
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
        sealed: whether its files get checksums, see `segstudy.core.checksums`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        with _with_file_name(path):
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
    """Raise a StudyError if results cannot go into the folder `path` because it, or a folder above it, is a file."""
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
    with _with_file_name(Path(path)):
        Path(path).write_bytes(stream.getvalue())


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any, sealed: bool = True) -> None:
    """Write `value` as indented JSON, atomically. Not-a-number is written as null: JSON has no NaN.

    Args:
        sealed: whether the file gets a checksum; not needed in a folder that has one, or if no job reads the file.
    """
    write_text(path, json.dumps(_without_nan(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if sealed:
        checksums.seal(path)


def read_json(path: str | Path, keys: Sequence[str] = ()) -> Any:
    """Read a JSON file.

    Args:
        keys: entries that it must have.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is not what was written, is no JSON, or lacks an entry.
    """
    try:
        value = json.loads(checksums.content(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise checksums.damaged(path, f"it is no JSON ({error})") from None
    if keys and not isinstance(value, dict):
        raise checksums.damaged(path, f"it holds {type(value).__name__}, not entries with names")
    missing = [key for key in keys if key not in value]
    if missing:
        raise checksums.damaged(path, f"it has no entry {', '.join(map(repr, missing))}")
    return value


def write_csv(path: str | Path, table: pd.DataFrame, sealed: bool = True) -> None:
    """Write `table` without its index, atomically, with the same bytes for the same numbers; `sealed` as for JSON.

    Text that a spreadsheet would run as a formula gets an apostrophe, which `read_csv` takes off (see `csv_text`).
    """
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if csv_text.has_carriage_return(table) else csv.QUOTE_MINIMAL
    with atomic_path(path) as temporary:
        csv_text.guarded(table).to_csv(temporary, index=False, lineterminator="\n", quoting=quoting)
    if sealed:
        checksums.seal(path, rows=len(table))


# Columns of names: read as they are, so that sample "01" stays "01" (and "NA" stays "NA"), and a column that is
# empty throughout (a data set without fields of view) comes back as empty strings, not as NaN.
TEXT = (
    *("sample", "image", "mask", "roi", "second_mask", "stratum", "group", "official_subset", "title", "subset"),
    *("image_sha256", "mask_sha256", "roi_sha256", "second_mask_sha256", "problem", "mask_mode", "reason"),
    *("class", "region", "policy", "control", "dataset", "row", "model", "loss", "recipe", "metric", "averaging"),
)


def read_csv(path: str | Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV that `write_csv` wrote: numbers as the same float64 they were, TEXT columns as text.

    Args:
        columns: columns that it must have.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is not what was written, is no table, lacks a column, or a name in it leads out of its folder
            (see `segstudy.core.names`).
    """
    content = checksums.content(path)
    try:
        header = pd.read_csv(io.BytesIO(content), nrows=0).columns
        names = {*TEXT, *(name for column in file_columns(header) for name in (column, f"{column}_sha256"))}
        text = {column: str for column in header if column in names}
        missing = {column: [""] for column in header if column not in names}
        table = pd.read_csv(io.BytesIO(content), dtype=text, keep_default_na=False, na_values=missing)
    except (ValueError, pd.errors.ParserError) as error:  # no columns, no UTF-8, a row that is too long
        raise checksums.damaged(path, f"it is no table ({first_line(error)})") from None
    absent = [column for column in columns if column not in table]
    if absent:
        raise checksums.damaged(path, f"it has no column {', '.join(map(repr, absent))}")
    table = csv_text.unguarded(table)
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


@contextmanager
def _with_file_name(path: Path) -> Iterator[None]:
    """Add the name of the file to an error of writing, and the error number that numpy's short writes lack."""
    try:
        yield
    except OSError as error:
        short = SHORT_WRITE.search(str(error)) is not None
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
