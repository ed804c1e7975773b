"""Names of classes from a table beside the masks: class_dict.csv, label_colors.txt, _classes.csv, labelmap.txt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from segstudy.config.class_names import BACKGROUND
from segstudy.config.classes_in_files import class_name
from segstudy.data.readers.annotation_files import read_text
from segstudy.data.readers.discovery import folders, relative
from segstudy.data.value_maps import parsed

DEPTH = 3  # levels of folders below the root that are looked into
LARGEST = 100_000  # bytes of such a table
# What tools and people call what is to count for nothing.
VOID_NAMES = ("void", "ignore", "ignored", "ignoreregion", "unlabeled", "unlabelled", "dontcare", "dontcount")
_BACKGROUND = ("background", "bg", "_background_")
_FILES = re.compile(r".*(class|label).*\.(csv|txt)", re.IGNORECASE)
_NAME = r"(?P<name>[^,;:\t]*[^\W\d][^,;:\t]*?)"
_RGB = r"(?P<r>\d{1,3})[,;\s]+(?P<g>\d{1,3})[,;\s]+(?P<b>\d{1,3})"
# name,r,g,b (CamVid at Kaggle); r g b name (CamVid); name:r,g,b:: (CVAT); value, name (Roboflow).
_LINES = tuple(
    re.compile(line)
    for line in (
        rf"{_NAME}[,;\t]\s*{_RGB}",
        rf"{_RGB}[,;\s]+{_NAME}",
        rf"{_NAME}:{_RGB}:.*",
        rf"(?P<value>\d{{1,5}})\s*[,;\t]\s*{_NAME}",
    )
)


def called_void(classes: Mapping[str, Any]) -> list[str]:
    """Return the classes whose names say that they are none; none where no class is left beside them."""
    names = [name for name in classes if re.sub(r"[\W_]", "", name).casefold() in VOID_NAMES]
    return names if len(names) < len(classes) else []


def class_table(root: Path, masks: Iterable[object]) -> tuple[str, dict[str, Any]] | None:
    """Return the table that names all values of the masks, and the keys of a data set's block after it.

    Args:
        root: of the data set.
        masks: values of each mask, as in the column `mask_counts` of samples.csv; empty where they were not counted.
    """
    seen = {value for text in masks if isinstance(text, str) for value in parsed(text)}
    for folder in folders(root, DEPTH):
        for path in sorted(folder.iterdir()):
            if _FILES.fullmatch(path.name) and path.is_file():
                named = _read(path) if path.stat().st_size <= LARGEST else {}
                if named and seen <= {*named}:
                    return relative(path, root), _keys(named)
    return None


def _read(path: Path) -> dict[str, str]:
    """Return {value or colour as the config spells it: name}; empty where the file is no such table."""
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip() and line[0] != "#"]
    for expression in _LINES:
        found = [expression.fullmatch(line) for line in lines]
        rows = found[1:] if found and not found[0] else found  # a first line may be a head
        matches = [match for match in rows if match]
        if len(matches) > 1 and len(matches) == len(rows):
            return {_spelt(match): match["name"].strip() for match in matches}
    return {}


def _spelt(match: re.Match[str]) -> str:
    groups = match.groupdict()
    if "value" in groups:
        return str(int(groups["value"]))
    return "#" + "".join(f"{min(255, int(groups[channel])):02x}" for channel in "rgb")


def _keys(named: Mapping[str, str]) -> dict[str, Any]:
    """Return `classes`, and `ignore` where a class is void by its name; 0 or black is background where none is."""
    void = called_void(dict.fromkeys(named.values()))
    ignore = [_value(value) for value, name in named.items() if name in void]
    rest = {value: name for value, name in named.items() if name not in void}
    if not {*map(str.casefold, rest.values())} & {*_BACKGROUND}:
        rest = {value: BACKGROUND if value in ("0", "#000000") else name for value, name in rest.items()}
    classes: dict[str, Any] = {}
    for value, name in rest.items():
        spelt = BACKGROUND if name.casefold() in _BACKGROUND else class_name(name, value)
        classes.setdefault(spelt, []).append(_value(value))
    keys: dict[str, Any] = {"classes": {name: _one(values) for name, values in classes.items()}}
    return keys | ({"ignore": _one(ignore)} if ignore else {})


def _value(value: str) -> int | str:
    return value if value[0] == "#" else int(value)


def _one(values: list[int | str]) -> int | str | list[int | str]:
    return values[0] if len(values) == 1 else values
