"""Decide whether the object at a dotted path is a network, before it is called."""

from __future__ import annotations

import inspect
import re
import types
from typing import Any

from torch import nn

from segstudy.config.library_paths import HOMES, closed

ALLOWED = (
    "a class of torch.nn.Module, or a function annotated to return one (def name(...) -> torch.nn.Module); of the "
    f"known libraries those of {', '.join(HOMES)}"
)


def refusal(target: Any) -> str:
    """Return why an object is not called for a network; '' if it is one's class, or a function that says so."""
    if not inspect.isclass(target) and not inspect.isfunction(target):
        return "it is no class and no function"
    if why := closed(str(target.__module__)):  # where it was defined; a path may lead to what a module imported
        return why
    if inspect.isclass(target):
        return "" if issubclass(target, nn.Module) else "it is a class of something else"
    result = returned(target)
    if result is None:
        return "the function does not say what it returns, or nothing of that name is known where it is defined"
    return "" if issubclass(result, nn.Module) else f"the function says that it returns a {result.__name__}"


def returned(function: types.FunctionType) -> type | None:
    """Return the class that a function is annotated to return; None where it says none.

    An annotation that is text is looked up part by part among the names of the function's module, never evaluated.
    """
    said: Any = inspect.get_annotations(function).get("return")
    if isinstance(said, str):
        said = _looked_up(said.strip("'\" "), inspect.unwrap(function).__globals__)
    return said if inspect.isclass(said) else None


def _looked_up(name: str, known: dict[str, Any]) -> Any:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", name):
        return None
    first, *others = name.split(".")
    found = known.get(first)
    for part in others:  # of modules and classes alone, and without running what they define as attributes
        if not isinstance(found, types.ModuleType | type):
            return None
        found = vars(found).get(part)
    return found
