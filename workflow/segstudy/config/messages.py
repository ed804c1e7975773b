"""Turn what is wrong with a config into one message: file and line, key, what was found, what is allowed."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from segstudy.errors import StudyError, nearest

Model = TypeVar("Model", bound=BaseModel)
Key = tuple[str | int, ...]


def validated(model: type[Model], block: Any, key: Key, files: Sequence[Path]) -> Model:
    """Return `block` parsed as `model`; raise one `StudyError` that lists every problem in it.

    `key` is where the block stands in the config, `files` the config files, the last one winning.
    """
    try:
        return model.model_validate(block)
    except ValidationError as error:
        problems = [_problem(model, e, key, files) for e in error.errors()]
        head = "the config has a problem" if len(problems) == 1 else f"the config has {len(problems)} problems"
        raise StudyError(
            head + "\n" + "\n".join(f"  - {p}" for p in problems),
            remedy="mend the config and run the same command again; nothing was started",
        ) from None


def place(key: Key, files: Sequence[Path]) -> str:
    """Return 'file:line' of the deepest part of `key` that a file defines, later files first."""
    best: tuple[int, str] = (0, str(files[-1]) if files else "config")
    for path in reversed(files):
        node = _composed(path.read_text(encoding="utf-8"))
        depth, line = 0, 1
        for part in key:
            step = _child(node, part)
            if step is None:
                break
            line, node = step
            depth += 1
        if depth > best[0]:
            best = (depth, f"{path}:{line}")
    return best[1]


@lru_cache(maxsize=8)
def _composed(text: str) -> yaml.Node | None:
    """Return the nodes of a file: places are asked for again and again, and a large study takes a second to read."""
    return yaml.compose(text)


# With this key Snakemake evaluates `?...` and `__definitions__` of a config file as Python, before any rule is read.
TEMPLATE = "__use_yte__"


def read_yaml(path: Path) -> dict[str, Any]:
    """Return what a config file holds.

    Raises:
        StudyError: it is missing, is no YAML, or holds something other than blocks.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        beside = [str(other) for folder in {path.parent, Path("studies")} for other in folder.glob("*.y*ml")]
        names = nearest(str(path), beside)
        raise StudyError(
            f"no such config file.{names}", where=path, remedy="check the path; it is relative to the current folder"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or error
        raise StudyError(
            f"this config file is no YAML: {what}",
            where=f"{path}:{mark.line + 1}" if mark else path,
            remedy="mend this line or the one above it: indents, a colon after each key, quotes and brackets closed",
        ) from None
    if found is not None and not isinstance(found, dict):
        raise StudyError(
            "a config file holds blocks of 'name: options' lines", where=path, remedy="see config.yaml for the blocks"
        )
    if found and TEMPLATE in found:
        raise StudyError(
            f"this config file asks Snakemake to run what stands in it as Python ({TEMPLATE})",
            where=path,
            allowed="plain YAML",
            remedy="do not give the file to snakemake, which runs it while reading; write the values themselves",
        )
    return found or {}


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(part):
                return name.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None


def _problem(model: type[BaseModel], error: Any, key: Key, files: Sequence[Path]) -> str:
    fields, inner = _walk(model, error["loc"])
    full = (*key, *inner)
    where = f"{place(full, files)} {'.'.join(map(str, full))}"
    if error["type"] == "extra_forbidden":
        name = str(full[-1])
        return f"{where}: unknown key. Keys: {', '.join(sorted(fields))}.{nearest(name, fields)}"
    if error["type"] == "missing":
        return f"{where}: this key is required"
    message = error["msg"].removeprefix("Value error, ")
    found = error["input"]
    shown = "" if isinstance(found, dict | BaseModel) else f", found {found!r}"
    return f"{where}: {message[0].lower()}{message[1:]}{shown if error['type'] != 'value_error' else ''}"


def _walk(model: type[BaseModel], location: Key) -> tuple[list[str], Key]:
    """Follow a pydantic location; return the keys allowed at its parent and the location as config keys."""
    kept: list[str | int] = []
    types: list[Any] = [model]
    parents: list[Any] = [model]
    for part in location:
        named = [t for t in types if getattr(t, "__name__", None) == part]
        if named and not any(
            isinstance(t, type) and issubclass(t, BaseModel) and part in t.model_fields for t in types
        ):
            types = named  # the member of a union, not a key
            continue
        parents = types
        kept.append(part)
        types = [inner for t in types for inner in _step(t, part)]
        if not types and isinstance(part, str) and any(mark in part for mark in "[({"):
            kept.pop()  # pydantic's own label of a union member, such as 'list[int]'
            types = parents
    fields = [f for t in parents if isinstance(t, type) and issubclass(t, BaseModel) for f in t.model_fields]
    return fields, tuple(kept)


def _step(annotation: Any, part: str | int) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return _members(field.annotation) if field else []
    arguments = typing.get_args(annotation)
    return _members(arguments[-1]) if arguments else []


def _members(annotation: Any) -> list[Any]:
    """Split a union into its members; strip Annotated."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    origin = typing.get_origin(annotation)
    if origin is typing.Union or str(origin) == "<class 'types.UnionType'>":
        return [m for a in typing.get_args(annotation) for m in _members(a)]
    return [annotation]
