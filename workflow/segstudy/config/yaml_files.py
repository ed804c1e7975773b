"""Read a config file: plain YAML of a bounded size, each key once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from segstudy.core.errors import StudyError, nearest

MOST_VALUES = 200_000  # of a config, aliases (*name) written out
DEEPEST = 50  # blocks and lists inside each other
# With this key Snakemake evaluates `?...` and `__definitions__` of a config file as Python, before any rule is read.
TEMPLATE = "__use_yte__"
MERGE = "tag:yaml.org,2002:merge"
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
OTHER_BASE = re.compile(r"[-+]?(0[\d_]+|\d[\d_]*(:\d+)+(\.[\d_]*)?)")  # in YAML 1.1, 010 is 8 and 1:30 is 90


def read_yaml(path: Path) -> dict[str, Any]:
    """Return what a config file holds.

    Raises:
        StudyError: it is missing, empty, no YAML, too large, or holds something other than blocks; or a key is there
            twice.
        PermissionError: it may not be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        node = composed(text)
        if node is None:
            raise StudyError(
                "this config file is empty", where=path, remedy="fill it, or leave it out; config.yaml shows the blocks"
            )
        _check_size(node, path)
        _check_nodes(node, path)
        config = yaml.safe_load(text)
    except (FileNotFoundError, NotADirectoryError):
        beside = [str(other) for folder in {path.parent, Path("studies")} for other in folder.glob("*.y*ml")]
        names = nearest(str(path), beside)
        raise StudyError(
            f"no such config file.{names}", where=path, remedy="check the path; it is relative to the current folder"
        ) from None
    except IsADirectoryError:
        raise StudyError("a config file is asked for, and this is a folder", where=path) from None
    except UnicodeDecodeError as error:
        raise StudyError(
            f"this config file is not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}",
            where=path,
            remedy="save it as UTF-8, or check that it is a text file at all",
        ) from None
    except RecursionError:
        raise StudyError(f"more than {DEEPEST} blocks or lists stand inside each other", where=path) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise StudyError(
            f"this config file is no YAML: {what}",
            where=f"{path}:{mark.line + 1}" if mark else path,
            remedy="mend this line or the one above it: indents, a colon after each key, quotes and brackets closed",
        ) from None
    except ValueError as error:  # what looks like a number or a date and is none
        what = str(error).partition("; ")[0]
        raise StudyError(f"this config file holds a value that cannot be read: {what}", where=path) from None
    if not isinstance(config, dict):
        raise StudyError(
            "a config file holds blocks of 'name: options' lines", where=path, remedy="see config.yaml for the blocks"
        )
    if TEMPLATE in config:
        raise StudyError(
            f"this config file asks Snakemake to run what stands in it as Python ({TEMPLATE})",
            where=path,
            allowed="plain YAML",
            remedy="do not give the file to snakemake, which runs it while reading; write the values themselves",
        )
    return config


@lru_cache(maxsize=8)
def composed(text: str) -> yaml.Node | None:
    """Return the nodes of a file: places are asked for again and again, and a large study takes a second to read."""
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _check_size(root: yaml.Node, path: Path) -> None:
    """Count the values with every alias written out: ten lines of aliases can stand for millions of values."""
    sizes: dict[int, int] = {}
    above: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        known = sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in above or depth > DEEPEST:
            what = f"more than {DEEPEST} blocks or lists stand inside each other"
            if id(node) in above:
                what = "a block contains itself, by an alias (*name) inside the block that the anchor (&name) names"
            raise StudyError(what, where=f"{path}:{node.start_mark.line + 1}", remedy="write it out, or take it away")
        above.add(id(node))
        total = 1 + sum(size(child, depth + 1) for child in _children(node))
        above.discard(id(node))
        if total > MOST_VALUES:
            raise StudyError(
                "the config holds too many values, each alias (*name) counted as what it stands for",
                where=f"{path}:{node.start_mark.line + 1}",
                allowed=f"{MOST_VALUES:,} values",
                remedy="take aliases away, or divide the study",
            )
        sizes[id(node)] = total
        return total

    size(root, 0)


def _children(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _check_nodes(root: yaml.Node, path: Path) -> None:
    """Check that no block has a key twice, and that numbers are what they look like: YAML would not say a word."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        waiting += reversed(list(_children(node)))
        if isinstance(node, yaml.ScalarNode) and node.tag in NUMBERS and OTHER_BASE.fullmatch(node.value):
            raise StudyError(
                f"{node.value} is {yaml.safe_load(node.value)} for YAML: with a 0 in front it counts in eights, with "
                "colons in sixties",
                where=f"{path}:{node.start_mark.line + 1}",
                remedy="write the number without them, or put quotes around a name",
            )
        lines: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise StudyError("a key is a list or a block; keys are names", where=f"{path}:{line}")
            if key.tag == MERGE:
                continue
            if key.value in lines:
                raise StudyError(
                    f"the key '{key.value}' stands twice in one block, first in line {lines[key.value]}",
                    where=f"{path}:{line}",
                    remedy="keep one of the two; YAML would take the last",
                )
            lines[key.value] = line
