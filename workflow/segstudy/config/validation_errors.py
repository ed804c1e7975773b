"""Turn what is wrong with a config into one message: file and line, key, what was found, what is allowed."""

from __future__ import annotations

import reprlib
import typing
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from segstudy.config.yaml_files import composed
from segstudy.core.errors import StudyError, nearest

Model = TypeVar("Model", bound=BaseModel)
Key = tuple[str | int, ...]
# What the command line (`--config key=value`) says while a config is checked: it wins over every file.
COMMAND_LINE: ContextVar[Mapping[str, Any]] = ContextVar("command line")
SHOWN = reprlib.Repr()  # a value as a message shows it: not longer than a line
SHOWN.maxstring = SHOWN.maxother = 60
BLOCK = "must be a block of 'name: options' lines"


def validated(model: type[Model], block: Any, key: Key, files: Sequence[Path]) -> Model:
    """Return `block` parsed as `model`; raise one `StudyError` that lists every problem in it.

    `key` is where the block stands in the config, `files` the config files, the last one winning.
    """
    try:
        return model.model_validate(block)
    except ValidationError as error:
        problems = list(dict.fromkeys(_problem(model, e, key, files) for e in _telling(error.errors())))
        head = "the config has a problem" if len(problems) == 1 else f"the config has {len(problems)} problems"
        raise StudyError(
            head + "\n" + "\n".join(f"  - {p}" for p in problems),
            remedy="mend the config and run the same command again; nothing was started",
        ) from None


def place(key: Key, files: Sequence[Path]) -> str:
    """Return where the deepest part of `key` stands: on the command line, else 'file:line', later files first."""
    best: tuple[int, str] = (0, str(files[-1]) if files else "config")
    given: Any = COMMAND_LINE.get({})
    for depth, part in enumerate(key, 1):
        if not isinstance(given, Mapping) or str(part) not in given:
            break
        given, best = given[str(part)], (depth, f"the command line (--config {key[0]}=...)")
    for path in reversed(files):
        node = composed(path.read_text(encoding="utf-8-sig"))
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


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(part):
                return name.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None


def _telling(errors: Sequence[Any]) -> list[Any]:
    """Leave out what pydantic says of the other members of a union: that a block is not the word 'native'."""

    def of_literal(error: Any) -> bool:
        return str(error["loc"][-1:]).startswith('("literal[')

    def beside(error: Any) -> bool:
        above = error["loc"][:-1]
        return any(not of_literal(other) and other["loc"][: len(above)] == above for other in errors)

    return [error for error in errors if not (of_literal(error) and beside(error))]


def _problem(model: type[BaseModel], error: Any, key: Key, files: Sequence[Path]) -> str:
    fields, inner = _walk(model, error["loc"])
    full = tuple(part for part in (*key, *inner) if part != "[key]")
    where = f"{place(full, files)} {'.'.join(_short(part) for part in full)}"
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        name = str(full[-1])
        return f"{where}: unknown key. Keys: {', '.join(sorted(fields))}.{nearest(name, fields)}"
    if kind == "missing":
        return f"{where}: this key is required"
    if kind == "too_short" and value == {}:
        return f"{where}: nothing is defined here"
    if kind == "invalid_key" or ("[key]" in error["loc"] and kind == "string_type"):
        return f"{where}: a key must be text, found {SHOWN.repr(value)}: put it in quotes"
    if kind in ("dict_type", "model_type", "mapping_type"):
        return f"{where}: {BLOCK}, found {'nothing' if value is None else SHOWN.repr(value)}"
    if kind == "string_type":
        text = "nothing" if value is None else SHOWN.repr(value)
        return f"{where}: this must be text, found {text}{_quoted(value)}"
    message = error["msg"].removeprefix("Value error, ")
    suffix = "" if isinstance(value, dict | BaseModel) else f", found {SHOWN.repr(value)}"
    return f"{where}: {message[0].lower()}{message[1:]}{suffix if kind != 'value_error' else ''}"


def _short(part: str | int) -> str:
    name = str(part)
    return name if len(name) <= 60 else f"{name[:20]}..."


def _quoted(value: Any) -> str:
    return ": put it in quotes" if isinstance(value, int | float) else ""


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
    arguments = () if typing.get_origin(annotation) is typing.Literal else typing.get_args(annotation)
    return _members(arguments[-1]) if arguments else []


def _members(annotation: Any) -> list[Any]:
    """Split a union into its members; strip Annotated."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    origin = typing.get_origin(annotation)
    if origin is typing.Union or str(origin) == "<class 'types.UnionType'>":
        return [m for a in typing.get_args(annotation) for m in _members(a)]
    return [annotation]
