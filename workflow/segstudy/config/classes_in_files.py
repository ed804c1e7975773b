"""Classes that the files of a data set name: COCO's categories, CVAT's labels, labels of dataset.json.

Which classes there are decides what a network puts out and which tables a study has. So it is asked when the config is
read; from then on the config says which value stands for which class, as if a person had written it. Readers are
looked up by their dotted names, because their room lies above this one.
"""

from __future__ import annotations

import importlib
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from segstudy.config.base import LONGEST_NAME
from segstudy.config.class_names import BACKGROUND, MEAN
from segstudy.config.layout import Layout
from segstudy.config.readers import CLASSES_IN_FILES
from segstudy.config.validation_errors import place
from segstudy.core.errors import StudyError, nearest

Values = int | str | list[int | str]


def with_classes(name: str, entry: Mapping[str, Any], data_root: Any, files: Sequence[Path]) -> dict[str, Any]:
    """Return the block of a data set with `classes` and `ignore` as its files say, where its reader asks them.

    Names of classes in the block become their values. A block that is wrong, or whose folder is not there, is returned
    as it is: other checks say so.

    Raises:
        StudyError: the files cannot be read, do not name their classes, or know no class of a name in the block.
    """
    block = dict(entry)
    reader, wanted = block.get("reader"), block.get("classes") or {}
    root = _root(data_root, block.get("root"))
    if reader not in CLASSES_IN_FILES or root is None or not isinstance(wanted, Mapping):
        return block
    module = importlib.import_module(f"segstudy.data.readers.{reader}")
    if not module.recognises(root):
        return block
    try:
        layout = Layout.model_validate(block.get("layout") or {})
    except ValidationError:
        return block

    def where() -> str:
        return place(("datasets", name, "classes"), files)

    ignored = _listed(block["ignore"]) if block.get("ignore") is not None else None
    given = [value for values in (*wanted.values(), ignored or []) for value in _listed(values)]
    if wanted and not any(map(_is_name, given)):
        known: dict[str, int | str] = {}  # numbers and colours need nobody to explain them
    else:
        known = module.classes(root, layout)
    if not known and not wanted:
        raise _unnamed(name, root, proposed(module, root))
    values = {class_name(key, value): value for key, value in known.items()} | known
    if ignored is not None:
        block["ignore"] = [_value(value, values, where) for value in ignored]
        known = {key: value for key, value in known.items() if value not in block["ignore"]}
    if known:
        block["classes"] = _picked(known, values, wanted, where) if wanted else _all(known)
    if ignored is None or any(map(_is_name, ignored)):  # a class by its name is void beside what is void by the format
        taken = {value for group in block.get("classes", {}).values() for value in _listed(group)}
        colours = any(isinstance(value, str) for value in taken)
        void = [v for v in module.void(root, layout) if v not in taken and (not taken or isinstance(v, str) == colours)]
        block["ignore"] = list(dict.fromkeys([*(block["ignore"] if ignored else []), *void]))
    return block


def proposed(module: Any, root: Path) -> dict[str, Any]:
    """Return the keys of a data set's block that a reader proposes; none where its files say everything."""
    return module.proposal(root) if hasattr(module, "proposal") else {}


def class_name(name: str, value: int | str) -> str:
    """Return the name of a class in a file as one that tables and files can have."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_.-")
    plain = plain if len(plain) <= LONGEST_NAME else plain[: LONGEST_NAME - 10]  # room for a number behind it
    return f"class_{str(value).strip('#')}" if not plain or plain == MEAN else plain


def _all(known: Mapping[str, int | str]) -> dict[str, Values]:
    """Return every class of the files by a name that a config can have; one called background is the background."""
    plain = {name: class_name(name, value) for name, value in known.items()}
    count = Counter(short.casefold() for short in plain.values())
    result: dict[str, Values] = {}
    for name, value in known.items():
        short = plain[name]
        result[short if count[short.casefold()] == 1 else f"{short}_{str(value).strip('#')}"] = value
    own = next((name for name in result if name.casefold() == BACKGROUND), None)
    if own:
        result[BACKGROUND] = [_nothing(known), *_listed(result.pop(own))]
    return result


def _picked(
    known: Mapping[str, int | str], values: Mapping[str, int | str], wanted: Mapping[str, Any], where: Callable[[], str]
) -> dict[str, Values]:
    """Return the classes that a config names by those of the files; what it does not name is background."""
    result = {name: [_value(value, values, where) for value in _listed(group)] for name, group in wanted.items()}
    used = [value for group in result.values() for value in group]
    rest = [value for value in known.values() if value not in used]
    if rest:
        nothing = _nothing(known)
        implied = [] if BACKGROUND in result or nothing in used else [nothing]
        result[BACKGROUND] = [*implied, *result.get(BACKGROUND, []), *rest]
    return dict(result)


def _nothing(known: Mapping[str, int | str]) -> int | str:
    return "#000000" if any(isinstance(value, str) for value in known.values()) else 0


def _unnamed(name: str, root: Path, proposed: Mapping[str, Any]) -> StudyError:
    seen = ", ".join(f"{key}: {value!r}" for key, value in proposed.get("classes", {}).items())
    return StudyError(
        f"nothing says which classes the masks of data set '{name}' have",
        where=root,
        remedy=f"name them in the data set's block, for instance classes: {{{seen or 'cell: 1'}}}",
    )


def _value(value: Any, values: Mapping[str, int | str], where: Callable[[], str]) -> Any:
    if not _is_name(value):
        return value
    if value not in values:
        raise StudyError(
            f"the files name no class '{value}'.{nearest(value, values)}", where=where(), allowed=", ".join(values)
        )
    return values[value]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and not value.startswith("#")


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _root(data_root: Any, root: Any) -> Path | None:
    """Return the folder of a data set as `Study.root` does; None where it is not there or the config is wrong."""
    if not isinstance(root, str) or not isinstance(data_root, str):
        return None
    above, below = (Path(os.path.expandvars(part)).expanduser() for part in (data_root, root))
    return above / below if (above / below).is_dir() else None
