"""Check before a study runs that networks named by their path can be found, without importing torch for it.

What a path leads to is looked up in files: the module, the class in its text, and what a module of one's own imports.
Only where they show a fault is the module imported, as a training would do it: its message is the one that counts.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Collection, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from segstudy.config import dependencies
from segstudy.config.library_networks import is_library
from segstudy.config.study import Study
from segstudy.config.validation_errors import place
from segstudy.core.errors import StudyError
from segstudy.runtime.own_modules import INSTALLED

ANY_NAME = {"*", "__getattr__", "globals", "setattr", "exec"}  # a module with one of them may have names unseen


def check_networks(study: Study, files: Sequence[Path]) -> None:
    """Check the networks that the study's cells name by their path.

    Raises:
        StudyError: naming the line of one whose module or class is missing, cannot be imported, or is no network.
    """
    cells = dependencies.trained_cells(study)
    for model in dict.fromkeys(cell.model for cell in cells):
        path = study.models[model].kind
        module, _, name = path.partition(":")
        if not is_library(path) or _found(module, [name], set(), named=True):
            continue
        from segstudy.models.library_class import find

        try:
            find(path)
        except StudyError as error:
            where = place(("models", model, "network"), files)
            raise StudyError(error.what, where=where, allowed=error.allowed, remedy=error.remedy) from error


def _found(module: str, names: Collection[str], seen: set[str], named: bool = False) -> bool:
    """Return whether a module is there and binds `names`, and so do the modules that it imports as it is loaded.

    Of installed modules only the one that is `named` is looked into.
    """
    spec = _spec(module)
    file = Path(str(spec.origin)) if spec else None
    own = file is not None and file.suffix == ".py" and not {*INSTALLED} & {*file.parts}
    if file is None or not (own or named) or file.suffix != ".py":
        return spec is not None
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return False
    bound = set(_bound(tree))
    if not bound & ANY_NAME and not all(name in bound or _spec(f"{module}.{name}") for name in names):
        return False
    if not own or module in seen:
        return True
    seen.add(module)
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    return all(_found(other, parts, seen) for other, parts in _imports(tree, package))


def _spec(module: str) -> ModuleSpec | None:
    """Return where a module is found; no package above it is imported for that, as `importlib.util.find_spec` does."""
    name, *below = module.split(".")
    spec = importlib.util.find_spec(name)
    for part in below:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


def _bound(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module may bind, and those of `ANY_NAME` that it uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name):
            yield node.id


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (module, names taken from it) of the imports that run in any case; none of Python's modules and of ours."""
    for node in tree.body:
        found: list[tuple[str, list[str]]] = []
        if isinstance(node, ast.Import):
            found = [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found = [(module, [alias.name for alias in node.names if alias.name != "*"])]
        yield from (item for item in found if item[0].partition(".")[0] not in {*sys.stdlib_module_names, "segstudy"})
