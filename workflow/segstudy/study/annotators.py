"""Which data sets of an experiment may have masks of several annotators, and what their table needs.

It is asked when a study is planned: no pandas, and no picture is read.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from segstudy.config import paths
from segstudy.config.cell import Cell
from segstudy.config.layout import Layout
from segstudy.config.readers import ANNOTATED
from segstudy.config.study import Study
from segstudy.study import experiments, lookups
from segstudy.study.cell_inputs import of_datasets, of_splits

_FURTHER = re.compile(rb"(?<![^,;\t\"])\s*(second_mask|mask_[2-9]|mask_[1-9]\d+)\s*(?![^,;\t\"\r\n])", re.IGNORECASE)

# What `data.readers.table_file` passes over.
_ABOVE_HEAD = re.compile(rb"(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?(\s*#.*|sep=.*|[\s,;\"]*)", re.IGNORECASE)


@cache
def annotated(study: Study, dataset: str) -> bool:
    """Return whether images of a data set may have masks of several annotators; of a folder, its config or table tells.

    Whether any image does, its index says: where none does, the table says so.
    """
    options = study.datasets[dataset]
    if options.reader not in ANNOTATED:
        return False
    if options.reader != "folder" or options.layout.annotators:
        return True
    return not options.phantom and _in_table(Path(lookups.raw_root(study, dataset)), options.layout)


def datasets(study: Study, experiment: str) -> list[str]:
    """Return those of an experiment."""
    return [name for name in experiments.datasets(study, experiment) if annotated(study, name)]


def cells(study: Study, experiment: str) -> list[Cell]:
    """Return the cells of an experiment on them."""
    return [cell for cell in experiments.cells(study, experiment) if annotated(study, cell.dataset)]


def masks(study: Study, experiment: str) -> list[str]:
    """Return the folders of the masks of those cells."""
    return experiments.cell_files(study, experiment, "masks", cells)


def indexes(study: Study, experiment: str) -> list[str]:
    """Return the indexes of the data sets."""
    return of_datasets(study, paths.INDEX, datasets(study, experiment))


def pairs(study: Study, experiment: str) -> list[list[Any]]:
    """Return [data set, seed] of each split of them."""
    return [pair for pair in experiments.pairs(study, experiment) if annotated(study, pair[0])]


def splits(study: Study, experiment: str) -> list[str]:
    """Return those splits."""
    return of_splits(study, pairs(study, experiment))


def settings(study: Study, experiment: str) -> dict[str, Any]:
    """Return how the masks of the data sets are read, and which of them counts."""
    return {
        name: {
            "reader": lookups.reader(study, name),
            "root": lookups.root(study, name),
            "labels": lookups.labels(study, name),
            "truth": lookups.truth(study, name),
        }
        for name in datasets(study, experiment)
    }


def _in_table(root: Path, layout: Layout) -> bool:
    """Return whether the table of a folder has a column of a second annotator's masks."""
    for path in (table for folder in (root, *sorted(root.glob("*/"))) for table in layout.tables_in(folder)):
        try:
            with path.open("rb") as opened:
                start = opened.read(65_536).replace(b"\0", b"")  # of UTF-16 too
        except OSError:
            continue
        head = next((line for line in start.splitlines() if not _ABOVE_HEAD.fullmatch(line)), b"")
        if _FURTHER.search(head):
            return True
    return False
