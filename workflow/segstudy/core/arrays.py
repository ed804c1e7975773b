"""Arrays on disk, each file with a checksum beside it: `.npy` holds one array, `.npz` several with names."""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segstudy.core import checksums
from segstudy.core.errors import StudyError, first_line
from segstudy.core.files import atomic_path

LARGEST_ARCHIVE = 4_000_000_000  # bytes of an .npz file when it is unpacked
# What numpy and zipfile raise for a file that is no archive of arrays.
NOT_ARRAYS = (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError, MemoryError)


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
    except NOT_ARRAYS as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise checksums.damaged(path, f"it is no file of arrays ({first_line(error)})") from None


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
        size = _check_header(path)
        if mmap:
            checksums.check_size(path)
            return np.asanyarray(np.load(path, mmap_mode="r" if size else None, allow_pickle=False))
        return np.asarray(np.load(io.BytesIO(checksums.content(path)), allow_pickle=False))
    except (ValueError, EOFError, OSError, SyntaxError, TypeError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise checksums.damaged(path, f"it is no array, or not the whole of one ({first_line(error)})") from None


def _check_header(path: str | Path) -> int:
    """Return the bytes of the values of an `.npy` file, so that no more memory is allocated than the file holds.

    Raises:
        ValueError: the header says another number of bytes, or it is no file of numbers.
    """
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        size = os.fstat(file.fileno()).st_size - file.tell()
    needed = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or size != needed:
        raise ValueError(f"its header says {dtype} {shape}, {needed} bytes; the file holds {size}")
    return size


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


class Rows(NamedTuple):
    """An .npy file that is written row by row.

    Not through a memory map: its pages would count as the job's memory, and a full disk would be a bus error
    instead of a message.
    """

    descriptor: int
    offset: int
    row_shape: tuple[int, ...]

    def write(self, row: int, content: np.ndarray) -> None:
        """Write one row; several threads may write different ones at once.

        Raises:
            ValueError: the content is of another shape or type.
        """
        if content.shape != self.row_shape or content.dtype != np.uint8:
            raise ValueError(f"row is {content.dtype} {content.shape}, the array takes uint8 {self.row_shape}")
        left = np.ascontiguousarray(content).data.cast("B")
        position = self.offset + row * content.nbytes
        while left:
            written = os.pwrite(self.descriptor, left, position)
            left, position = left[written:], position + written


@contextmanager
def open_array(path: Path, shape: tuple[int, ...]) -> Iterator[Rows]:
    """Yield an .npy file of uint8 zeros, open for writing; flush it to disk at the end."""
    offset = np.lib.format.open_memmap(path, "w+", np.uint8, shape).offset  # writes header and length
    descriptor = os.open(path, os.O_WRONLY)
    try:
        yield Rows(descriptor, offset, shape[1:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
