"""Look up the reader of a data set by name, and the labels of its masks.

A reader is a module of `segstudy.data.readers`, named in `segstudy.config.readers.READERS`. It has `TITLE`, `LABELS`
(see `segstudy.data.images.label_map`), `TASK`, `SOURCE`, `LAYOUT` (texts), `recognises(root) -> bool` (a cheap look at
the folder names) and `index(root) -> DataFrame` with the columns of `COLUMNS`; repairs and omissions are
sentences in `frame.attrs["repairs"]`. Readers named in `WITH_LAYOUT` are given the `layout:` of the
config too: `index(root, layout)`.

Readers of annotations (`CONVERTED`) have `samples(root, layout, repairs)` too, of which `segstudy.data.convert` makes
files; their `index` reads what that has written. Readers of files that name their classes (`CLASSES_IN_FILES`) have
`classes(root, layout)` and `void(root, layout)`: values by name. `proposal(root)`, where there is one, returns further
keys of a data set's block, which the files alone do not settle.

Readers are looked up by name here alone: the code fingerprint of a rule whose script imports this module covers the
readers of its data sets (see `segstudy.runtime.fingerprint.LOOKUPS`).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType

from segstudy.config.readers import READERS
from segstudy.core.errors import StudyError, nearest
from segstudy.data.images.label_map import Labels, Value, several, with_void


def reader_module(reader: str) -> ModuleType:
    """Return the module that reads data set `reader`.

    Raises:
        StudyError: no reader has this name.
    """
    if reader not in READERS:
        raise StudyError(f"no reader is called '{reader}'.{nearest(reader, READERS)}", allowed=", ".join(READERS))
    return importlib.import_module(f"segstudy.data.readers.{reader}")


def labels_of(
    reader: str,
    classes: Mapping[str, Value | Sequence[Value]] | None = None,
    inverted: bool = False,
    strays: bool = False,
    above_zero: bool = False,
    ignore: Value | Sequence[Value] | None = None,
    orientation: str | None = None,
) -> Labels:
    """Return what the values in the masks of a data set mean: the reader's own labels, or those of the config.

    Args:
        reader: name of the reader.
        classes: `classes:` of the data set's config; empty where it has none.
        inverted: `inverted:` of the data set's config.
        strays: whether the data set's exceptions accept values that are no class.
        above_zero: `above_zero:` of the data set's config.
        ignore: `ignore:` of the data set's config; None where it has none: then void is what the reader knows as such,
            unless `classes` gives it a meaning.
        orientation: `orientation:` of the data set's config; None where it has none.
    """
    known: Labels = reader_module(reader).LABELS
    if not classes:
        labels = known if ignore is None else with_void(known, ignore)
    else:
        named = {value for group in several(classes).values for value in group}
        labels = several(classes, void=[v for v in known.void if v not in named] if ignore is None else ignore)
    return labels._replace(inverted=inverted, strays=strays, above_zero=above_zero, orientation=orientation or "")
