"""What a reader makes of a raw folder, as one hash: the samples that it lists, and the bytes of their files.

A file that the reader does not use has no part in it, and neither has the time of a file or the place of the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from segstudy.config.layout import Layout
from segstudy.core.names import file_columns
from segstudy.data.images.locate import locate
from segstudy.data.images.read import files_of
from segstudy.data.index import hash_of, list_samples

Hashes = dict[str, list[Any]]  # path below the root -> [bytes, times in ns] of each of its files, and the hash


def content_hash(reader: str, root: Path, layout: Layout, known: Mapping[str, list[Any]]) -> tuple[str, Hashes]:
    """Return the hash, and what it rests on, to be given as `known` the next time.

    A file that has the size and the times that it had then is not read again. The time at which its entry changed is
    one of them (masks of an archive have one size and one modification time, and may have exchanged their names): a
    changed owner or a copied folder costs a reading, and the hash stays.

    Raises:
        StudyError: the folder is not what the reader reads.
        OSError: a file is missing or may not be read.
    """
    samples = list_samples(reader, root, layout).sort_values("sample")
    paths = sorted({path for column in file_columns(samples) for path in samples[column] if path})
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        hashes = dict(zip(paths, pool.map(lambda path: _hash(root, path, known.get(path)), paths), strict=True))
    content = [samples.to_dict("list"), *(hashes[path][1] for path in paths)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16], hashes


def _hash(root: Path, path: str, known: list[Any] | None) -> list[Any]:
    statuses = [locate(one).file.stat() for one in files_of(root / path)]
    states = [[status.st_size, status.st_mtime_ns, status.st_ctime_ns] for status in statuses]
    return known if known and known[0] == states else [states, hash_of(root / path)]
