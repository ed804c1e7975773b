"""RFMiD: 3,200 fundus photographs with diseases named and nothing drawn.

S. Pachade et al., "Retinal Fundus Multi-disease Image Dataset (RFMiD)", Data 6(2), 2021.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd

from segstudy.core.errors import StudyError, nearest
from segstudy.data.images.label_map import binary
from segstudy.data.readers.discovery import few, folders, frame, numbered, only, pictures, plain, relative, subfolders

TITLE = "RFMiD"
LABELS = binary("vessel")  # what is to be found in the photographs; no mask is among the files
TASK = "find the blood vessels in fundus photographs without a drawn one"
SOURCE = "Pachade et al., Retinal Fundus Multi-disease Image Dataset (RFMiD), Data 2021"
LAYOUT = (
    "{Training_Set/Training_Set/Training, Evaluation_Set/Evaluation_Set/Validation, Test_Set/Test_Set/Test}/N.png, "
    "beside them RFMiD_*_Labels.csv; any of the three sets; the root above them"
)
STRATA = {"0": "healthy", "1": "disease"}

_HALVES = {"training": ("train",), "evaluation": ("evaluation", "validation"), "test": ("test",)}
_NUMBER = re.compile(r"(\d+)")
_DEPTH = 4  # folders between the root and the photographs


def recognises(root: Path) -> bool:
    """Return whether `root` holds numbered photographs of at least one set, with a table of RFMiD among them."""
    return bool(_tables(root)) and bool(_sets(root))


def index(root: Path) -> pd.DataFrame:
    """Return one row per photograph, all of them unlabelled.

    The numbers begin at 1 in every set, so a sample is its set and its number: `training_1`. Stratum is the column
    Disease_Risk of the set's table, healthy or disease. No group: who the photographs show is not told.

    Raises:
        StudyError: two folders of one set, two files of one number, or a table that makes no sense.
    """
    rows: list[dict[str, str]] = []
    repairs: list[str] = []
    tables = _tables(root)
    for name, copies in _sets(root).items():
        folder = only(copies, f"folders of the {name} set", root, LAYOUT)
        risks = _risks(tables[name]) if name in tables else {}
        if not risks:
            repairs.append(f"no table of labels for the {name} set: its strata are empty")
        images = numbered(folder, _NUMBER, root, repairs)
        unknown = [str(number) for number in images if risks and number not in risks]
        if unknown:
            repairs.append(f"{tables[name].name} does not name photograph {few(unknown)}: their stratum is empty")
        absent = [str(number) for number in risks if number not in images]
        if absent:
            repairs.append(f"{tables[name].name} names {len(absent)} photographs that are not here: {few(absent)}")
        rows += [
            {
                "sample": f"{name}_{number}",
                "image": relative(path, root),
                "stratum": risks.get(number, ""),
                "official_subset": "unlabelled",
            }
            for number, path in images.items()
        ]
    return frame(rows, repairs)


def _set_name(text: str) -> str:
    """Return which set a folder or file name speaks of, or an empty string."""
    return next((name for name, words in _HALVES.items() if any(word in plain(text) for word in words)), "")


def _sets(root: Path) -> dict[str, list[Path]]:
    """Return the folders that hold photographs named by a number alone, by set."""
    folders_of_set: dict[str, list[Path]] = {}
    for folder in folders(root, _DEPTH):
        name = _set_name(folder.name)
        if name and not _has_set_below(folder) and any(path.stem.isdecimal() for path in pictures(folder)):
            folders_of_set.setdefault(name, []).append(folder)
    return {name: folders_of_set[name] for name in _HALVES if name in folders_of_set}


def _has_set_below(folder: Path) -> bool:
    return any(_set_name(child.name) for child in subfolders(folder))


def _tables(root: Path) -> dict[str, Path]:
    """Return the label tables, RFMiD_<set>_Labels.csv, by set."""
    files = (path for folder in folders(root, _DEPTH) for path in sorted(folder.glob("*.csv")))
    table_of_set: dict[str, Path] = {}
    for path in files:
        if re.match(r"(?:[a-c]\.\s*)?rfmid.*labels", path.stem, re.IGNORECASE) and _set_name(path.stem):
            table_of_set.setdefault(_set_name(path.stem), path)
    return table_of_set


def _risks(path: Path) -> dict[int, str]:
    """Return {number: stratum} of a table of labels."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    header = [name.strip() for name in lines[0]] if lines else []
    for column in ("ID", "Disease_Risk"):
        if column not in header:
            raise StudyError(
                f"the table of labels has no column {column}.{nearest(column, header)}",
                where=path,
                allowed="columns ID and Disease_Risk",
                remedy="use the table of the release",
            )
    key, risk = header.index("ID"), header.index("Disease_Risk")
    stratum_of = {}
    for line, values in enumerate(lines[1:], start=2):
        cells = [value.strip() for value in values]
        if not any(cells):
            continue
        if len(cells) <= max(key, risk) or not cells[key].isdecimal() or cells[risk] not in STRATA:
            raise StudyError(
                f"row {line} names no photograph or no Disease_Risk: {', '.join(cells[:4])}",
                where=path,
                allowed="ID a number, Disease_Risk 0 or 1",
            )
        stratum_of[int(cells[key])] = STRATA[cells[risk]]
    return stratum_of
