"""What all config models share."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from segstudy.core.names import NAME

LONGEST_NAME = 100  # characters; file names may have 255, and some are made of a name and more
LARGEST = 2**53  # of a whole number: what a float64 and every library that is given it still tell from its neighbour
LARGEST_SEED = 2**32 - 1
MOST_SEEDS = 1_000  # of an experiment
MOST_CELLS = 100_000  # of a study


def added_key(default: Any, **rules: Any) -> Any:
    """Return the field of a key that is younger than some results: at its default it is left out of dumped settings.

    Settings are compared to know whether a cell is trained again, and stand in its files: a study that does not use the
    key keeps both.
    """
    return Field(default, exclude_if=lambda value: value == default, **rules)


class Options(BaseModel):
    """A block of config: unknown keys are errors, numbers are finite, values are immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _plain_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what pydantic would turn into another number: true is 1 for it."""
        for item in _items(value):
            if isinstance(item, bool) and not _takes_truth(cls.model_fields[str(info.field_name)].annotation):
                raise ValueError(f"found {str(item).lower()}, where a number or a text is asked for")
            if type(item) is int and abs(item) > LARGEST:
                raise ValueError(f"the number is too large: at most {LARGEST}")
        return value


def _items(value: Any) -> Iterator[Any]:
    """Yield a value, or what stands in its lists."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _items(item)
    else:
        yield value


def _takes_truth(annotation: Any) -> bool:
    arguments = typing.get_args(annotation)
    return annotation in (bool, Any) or any(_takes_truth(argument) for argument in arguments)


def _check_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"'{value}' is used in file names: letters, digits, '.', '_' and '-' only")
    if len(value) > LONGEST_NAME:
        raise ValueError(
            f"'{value[:40]}...' is used in file names: {LONGEST_NAME} characters at most, it has {len(value)}"
        )
    return value


def _check_below(value: str) -> str:
    if value.startswith("/") or ".." in PurePosixPath(value).parts or any(ord(sign) < 32 for sign in value):
        raise ValueError(
            f"{value!r} does not lie below the root: changes outside it are never noticed; move or link it there, "
            "or set the root to the folder above both"
        )
    return value


def _check_distinct(values: list[Any]) -> list[Any]:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"'{value}' stands in the list twice")
        seen.add(value)
    return values


Name = Annotated[str, AfterValidator(_check_name)]
Below = Annotated[str, AfterValidator(_check_below)]  # a path relative to the root of a data set
Distinct = AfterValidator(_check_distinct)


def _update(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _update(target[key], value)
        else:
            target[key] = dict(value) if isinstance(value, Mapping) else value
