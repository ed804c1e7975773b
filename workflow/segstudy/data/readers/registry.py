"""The readers of data sets, one module each, by the names in `segstudy.config.datasets.READERS`.

A reader module has `TITLE`, `LABELS` (see `segstudy.data.images.label_map`), `TASK`, `SOURCE`, `LAYOUT` (texts),
`recognises(root) -> bool` (a cheap look at the folder names) and `index(root) -> DataFrame` with the
columns of `COLUMNS`; what it had to repair or leave out stands in `frame.attrs["repairs"]`, a list of sentences.
Readers named in `WITH_LAYOUT` are told the `layout:` of the config too: `index(root, layout)`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from segstudy.config.datasets import READERS
from segstudy.core.errors import StudyError, nearest


def reader_module(reader: str) -> ModuleType:
    """Return the module that reads data set `reader`.

    Raises:
        StudyError: no reader has this name.
    """
    if reader not in READERS:
        raise StudyError(f"no reader is called '{reader}'.{nearest(reader, READERS)}", allowed=", ".join(READERS))
    return importlib.import_module(f"segstudy.data.readers.{reader}")
