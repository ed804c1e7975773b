"""Values in the masks of a data set: `classes:` gives those of each class, `ignore:` those of void pixels."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from segstudy.config.base import Distinct, Name
from segstudy.config.class_names import BACKGROUND, MEAN

MOST = 255  # foreground classes: masks hold their ids in one byte, 0 being background
MOST_WITH_VOID = 253  # of them beside `ignore`: the report's pictures need two more numbers

# A name of a class in annotation files has become its value before this is checked (`config.classes_in_files`); an
# editor, which knows the schema alone, sees the name.
Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$"), WithJsonSchema({"type": "string"})]
Value = Annotated[int, Field(ge=0, le=65535)] | Colour


def _check_given(classes: Any) -> Any:
    """Explain an unquoted colour, which YAML reads as a missing value."""
    if isinstance(classes, dict):
        empty = [name for name, values in classes.items() if values is None or values == [] or _holds_none(values)]
        if empty:
            raise ValueError(
                f"{empty[0]} has no value; put colours in quotes, '#ff0000': without them YAML reads # as a comment"
            )
        for name, values in classes.items():
            if any(isinstance(value, bool) for value in (values if isinstance(values, list) else [values])):
                raise ValueError(f"{name} has the value true or false; values of a class are numbers or colours")
    return classes


def _holds_none(values: Any) -> bool:
    return isinstance(values, list) and None in values


def _check_classes(classes: dict[str, int | str | list[int | str]]) -> dict[str, int | str | list[int | str]]:
    if not classes:
        return classes
    foreground = [name for name in classes if name != BACKGROUND]
    if not foreground:
        raise ValueError(f"'{BACKGROUND}' is the only class; add the classes to segment")
    if len(foreground) > MOST:
        raise ValueError(f"{len(foreground)} foreground classes; masks can hold {MOST} at most")
    _check_names(list(classes))
    listed = [
        (name, value.lower() if isinstance(value, str) else value)
        for name, values in classes.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    _check_values(listed, implied=BACKGROUND not in classes)
    return classes


def _check_names(names: list[str]) -> None:
    if MEAN in names:
        raise ValueError(f"tables use the name '{MEAN}' for the mean over classes; give the class another name")
    seen = {BACKGROUND: BACKGROUND}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise ValueError(f"'{other}' and '{name}' differ in case only")


def _check_values(listed: list[tuple[str, int | str]], implied: bool) -> None:
    """Check (class, value) pairs; where the background is `implied`, 0 or black stands for it."""
    colours = [pair for pair in listed if isinstance(pair[1], str)]
    if 0 < len(colours) < len(listed):
        number = next(pair for pair in listed if isinstance(pair[1], int))
        raise ValueError(f"colours and numbers cannot be mixed: {colours[0][0]} has a colour, {number[0]} a number")
    owners: dict[int | str, str] = {}
    for name, value in listed:
        if value in owners:
            other = owners[value]
            raise ValueError(
                f"value {value} is given twice to {name}"
                if other == name
                else f"value {value} is given to {other} and {name}"
            )
        owners[value] = name
    zero: int | str = "#000000" if colours else 0
    if implied and zero in owners:
        raise ValueError(
            f"value {zero} is given to {owners[zero]}, but is also the default of {BACKGROUND}: "
            f"give the values of '{BACKGROUND}' too"
        )


Classes = Annotated[
    dict[Name, Value | Annotated[list[Value], Field(min_length=1)]],
    BeforeValidator(_check_given),
    AfterValidator(_check_classes),
]


def _check_ignored_given(values: Any) -> Any:
    if values is None or _holds_none(values):
        raise ValueError("no value is given; put colours in quotes, '#ff0000': without them YAML reads # as a comment")
    return values


def _check_ignored_types(values: int | str | list[int | str]) -> int | str | list[int | str]:
    listed = values_of(values)
    if len({type(value) for value in listed}) > 1:
        raise ValueError("colours and numbers cannot be mixed")
    return values


def values_of(values: int | str | list[int | str] | None) -> list[int | str]:
    """Return one value, several or none as a list; colours in small letters."""
    listed = values if isinstance(values, list) else [] if values is None else [values]
    return [value.lower() if isinstance(value, str) else value for value in listed]


def check_ignored(ignored: list[int | str], classes: dict[str, int | str | list[int | str]]) -> None:
    """Check the values that are ignored against those of the classes.

    Raises:
        ValueError: a value is ignored and stands for a class, one is a number and the other a colour, there are
            too many classes, or one class is left without any background to tell it from.
    """
    owners = {value: name for name, values in classes.items() for value in values_of(values)}
    for value in ignored:
        if value in owners:
            raise ValueError(f"value {value} is given to {owners[value]} and is also ignored")
        other = next((known for known in owners if type(known) is not type(value)), None)
        if other is not None:
            raise ValueError(f"colours and numbers cannot be mixed: {value} is ignored, {other} is {owners[other]}")
    if ignored and len(set(classes) - {BACKGROUND}) > MOST_WITH_VOID:
        raise ValueError(f"with ignored values there can be {MOST_WITH_VOID} classes at most")
    zero: int | str = "#000000" if any(isinstance(value, str) for value in ignored) else 0
    if len(classes) == 1 and zero in ignored:
        raise ValueError(
            f"{zero} is ignored, so {next(iter(classes))} has no {BACKGROUND}: give the values of '{BACKGROUND}' "
            "under classes"
        )


Ignored = Annotated[
    Value | Annotated[list[Value], Distinct] | None,
    BeforeValidator(_check_ignored_given),
    AfterValidator(_check_ignored_types),
]
