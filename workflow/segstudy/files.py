"""Write files so that nobody ever reads half of one: temporary neighbour, fsync, rename."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from segstudy import csv_text


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
    """Yield an empty temporary folder beside `path`; it replaces `path` when the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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


# Columns of names: read as they are, so that sample "01" stays "01" (and "NA" stays "NA"), and a column that is
# empty throughout (a data set without fields of view) comes back as empty strings, not as NaN.
TEXT = (
    *("sample", "image", "mask", "roi", "second_mask", "stratum", "group", "official_subset", "subset"),
    *("image_sha256", "mask_sha256", "roi_sha256", "second_mask_sha256", "problem", "mask_mode", "reason"),
    *("class", "region", "policy", "control", "dataset", "row", "model", "loss", "recipe", "metric", "averaging"),
)


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a CSV that `write_csv` wrote: numbers as the same float64 they were, TEXT columns as text."""
    header = pd.read_csv(path, nrows=0).columns
    text = {column: str for column in header if column in TEXT}
    missing = {column: [""] for column in header if column not in TEXT}
    return csv_text.unguarded(pd.read_csv(path, dtype=text, keep_default_na=False, na_values=missing))


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
