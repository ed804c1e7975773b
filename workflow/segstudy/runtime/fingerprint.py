"""Hashes of the code that a rule runs: Snakemake sees the text of a script, but not what the script imports."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from segstudy.config.library_networks import is_library
from segstudy.config.networks import BUILT_BY, entry
from segstudy.runtime.code_cache import kept
from segstudy.runtime.own_modules import content

PACKAGE = Path(__file__).resolve().parent.parent
SCRIPTS = PACKAGE.parent / "scripts"
# Modules that look others up by name. A script that imports one of them runs code that no import line names: `script`
# adds the readers of the job's data sets, its network and its loss.
READERS = "segstudy.data.readers"
LOOKUPS = {
    "readers": "segstudy.data.readers.registry",
    "network": "segstudy.models.registry",
    "losses": "segstudy.losses.build",
}
# Modules that cannot change a number: what the config resolves to is a rule parameter already, and the others
# only speak to the person or carry the job.
IGNORED = (
    *(
        "segstudy.config",
        "segstudy.core.errors",
        "segstudy.core.progress",
        "segstudy.runtime.job",
        "segstudy.runtime.live_status",
        "segstudy.runtime.gpu_use",
        "segstudy.core.checksums",
    ),
    *("segstudy.core.terminal_text", "segstudy.runtime.locks", "segstudy.runtime.fingerprint"),
    "segstudy.runtime.own_modules",
)
# A module (or a name in one) that is looked up by its path: the path itself is no part of what the code does.
DOTTED = re.compile(r"segstudy(\.\w+)+(:\w+)?\.?")


@cache
def code(*modules: str) -> str:
    """Return a hash of the code that `modules` (dotted names) run: they and every segstudy module they import.

    Comments, docstrings, blank lines and formatting do not count, and neither does where a module lies or what it is
    called: a moved or renamed module leaves every hash as it was. Lazy imports inside functions do count.

    Raises:
        ModuleNotFoundError: if a module is not part of segstudy.
    """
    contents = sorted({_meaning(module) for module in _closure(modules)} - {EMPTY})
    return hashlib.sha256("\n".join(contents).encode()).hexdigest()[:16]


@cache
def script(name: str, readers: tuple[str, ...] = (), network_kind: str = "", losses: tuple[str, ...] = ()) -> str:
    """Return the hash of the code that a rule's script runs: the modules it imports, and those they look up by name.

    The text of the script itself does not count, since Snakemake sees its changes by itself.

    Args:
        name: of the script, which is the rule's: `train` for `workflow/scripts/train.py`.
        readers: of the job's data sets; they count where the script reads raw data (`LOOKUPS`).
        network_kind: of the job's network; it counts where the script builds one.
        losses: modules of the job's loss (`config.losses.loss_modules`); they count where the script computes one.

    Raises:
        FileNotFoundError: if there is no such script.
        ModuleNotFoundError: if no network has that name.
    """
    modules = tuple(_script_modules(name))
    reached = _closure(modules)
    if LOOKUPS["readers"] in reached:
        modules = (*modules, *(f"{READERS}.{reader}" for reader in sorted(set(readers))))
    if LOOKUPS["losses"] in reached:
        modules = (*modules, *losses)
    if LOOKUPS["network"] in reached and network_kind:
        return network(network_kind, *modules)
    return code(*modules)


@cache
def network(kind: str, *modules: str) -> str:
    """Return the hash of `modules` and of the code of a network; where a library builds it, the library's version too.

    A network that no distribution brings (a file of the user's own on PYTHONPATH) counts by its content, see
    `own_modules.content`.

    Raises:
        ModuleNotFoundError: if no network has that name.
    """
    found = entry(kind)
    if found is None:
        raise ModuleNotFoundError(f"no network {kind}")
    versions = [f"{name} {version}" for name, version in libraries(kind).items()]
    return " ".join([code(*modules, found[1].partition(":")[0]), *versions])


def libraries(kind: str) -> dict[str, str]:
    """Return the libraries that a network comes from, by name, with what tells one version from another."""
    if is_library(kind):
        package = kind.partition(".")[0].partition(":")[0]
        return {name: _version(name, package) for name in _distributions().get(package, [package])}
    return {name: _version(name, name) for name in BUILT_BY.get(kind, ())}


@cache
def _distributions() -> dict[str, list[str]]:
    """Return which distributions bring a package; reading what all of them bring takes a moment."""
    return {name: sorted(set(found)) for name, found in importlib.metadata.packages_distributions().items()}


def _version(name: str, package: str) -> str:
    """Return the version of a distribution; where one edits its files or it is none, the content of the package."""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return content(package)
    origin = json.loads(importlib.metadata.distribution(name).read_text("direct_url.json") or "{}")
    editable = origin.get("dir_info", {}).get("editable")  # pip install -e
    return f"{version} {content(package)}" if editable else version


def _closure(modules: tuple[str, ...]) -> set[str]:
    seen: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module in seen or _ignored(module):
            continue
        seen.add(module)
        _file(module)  # raises where there is none
        queue += _imports(module)
    return seen


def _ignored(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in IGNORED)


@cache
def _file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if module.split(".", maxsplit=1)[0] == PACKAGE.name and candidate.exists():
            return candidate
    raise ModuleNotFoundError(f"no module {module} in {PACKAGE}")


def _is_module(module: str) -> bool:
    try:
        return module != PACKAGE.name and _file(module).exists()
    except ModuleNotFoundError:
        return False


class _Imported(NamedTuple):
    """A name that an import of the package binds in a module."""

    local: str
    module: str
    symbol: str  # '' where the name is the module itself


@kept
def _script_modules(name: str) -> list[str]:
    """Return the modules of the package that a script imports."""
    return list(dict.fromkeys(_modules_of(_imports_in(ast.parse(_text(SCRIPTS / f"{name}.py")), PACKAGE.name))))


@kept
def _imports(module: str) -> list[str]:
    """Return the modules of the package that a module imports, packages whose `__init__` then runs included."""
    return _modules_of(_said(module, _text(_file(module)))[0])


def _modules_of(imported: list[_Imported]) -> list[str]:
    found = []
    for item in imported:
        parts = item.module.split(".")
        found += [".".join(parts[:length]) for length in range(2, len(parts) + 1)]
    return found


def _imports_in(tree: ast.Module, module: str) -> list[_Imported]:
    return [item for node in ast.walk(tree) for item in _imported(node, module)]


def _imported(node: ast.AST, module: str) -> list[_Imported]:
    """Return what an import statement takes from the package; nothing for any other node."""
    if isinstance(node, ast.Import):
        return [_Imported(alias.asname or alias.name, alias.name, "") for alias in node.names if _is_module(alias.name)]
    if not isinstance(node, ast.ImportFrom):
        return []
    package = module if _file(module).name == "__init__.py" else module.rpartition(".")[0]
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    if base.split(".", maxsplit=1)[0] != PACKAGE.name:
        return []
    found = []
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        target = (inner, "") if _is_module(inner) else (base, alias.name)
        found.append(_Imported(alias.asname or alias.name, *target))
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# What is left of a module that holds nothing but a docstring.
EMPTY = hashlib.sha256(b"").hexdigest()


@kept
def _meaning(module: str) -> str:
    """Return a hash that changes when the code of a module does, or that of a module it takes a name from.

    The path of an import is replaced by the content of what it leads to: two names exchanged between two imports
    are another program, a module in another folder is not.
    """
    return _digest(module, _content_of_import)


@cache
def _content_of_import(module: str) -> str:
    return "" if _ignored(module) else _digest(module, lambda _: "")


def _digest(module: str, content: Callable[[str], str]) -> str:
    """Hash what a module says, see `_said`.

    Args:
        module: its dotted name.
        content: of a module that is imported -> what stands in the place of its name.
    """
    imported, text = _said(module, _text(_file(module)))
    symbols = sorted({f"{item.symbol} {item.local} {content(item.module)}" for item in imported if item.symbol})
    modules = {item.local: item.module for item in imported if not item.symbol}
    for local, path in modules.items():
        text = text.replace(_mark(local), f"module {content(path)}")
    return hashlib.sha256("\n".join([*symbols, text] if text else symbols).encode()).hexdigest()


@cache
def _said(module: str, text: str) -> tuple[list[_Imported], str]:
    """Return what a module of this text imports of the package, and its syntax tree in words, a line a statement.

    Without docstrings, imports of the package and names of its modules: for those that it imports stand marks.
    """
    tree = ast.parse(text)
    imported = _imports_in(tree, module)
    modules = {item.local for item in imported if not item.symbol}
    return imported, "\n".join(ast.dump(node) for node in _Nameless(module, modules).visit(tree).body)


def _mark(name: str) -> str:
    return f"module <{name}>"


class _Nameless(ast.NodeTransformer):
    """Take docstrings, imports of the package and names of its modules out of a syntax tree."""

    def __init__(self, module: str, modules: set[str]) -> None:
        self.module, self.modules = module, modules

    def generic_visit(self, node: ast.AST) -> ast.AST:
        body = getattr(node, "body", [])
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _is_text(body):
            node.body = body[1:]
        return super().generic_visit(node)

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return None if _imported(node, self.module) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if _imported(node, self.module) else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(_mark(node.id)) if node.id in self.modules else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("module") if isinstance(node.value, str) and DOTTED.fullmatch(node.value) else node


def _is_text(body: list[ast.stmt]) -> bool:
    first = body[0].value if body and isinstance(body[0], ast.Expr) else None
    return isinstance(first, ast.Constant) and isinstance(first.value, str)
