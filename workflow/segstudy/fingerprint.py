"""Fingerprints that tell Snakemake what it cannot see: changed code of the package, changed raw files."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from functools import cache
from pathlib import Path

from segstudy.config.library_networks import is_library
from segstudy.config.networks import BUILT_BY, entry

PACKAGE = Path(__file__).resolve().parent
# Modules that cannot change a number: what the config resolves to is a rule parameter already, and the others
# only speak to the person or carry the job.
IGNORED = (
    *("segstudy.config", "segstudy.errors", "segstudy.progress", "segstudy.jobs", "segstudy.live", "segstudy.locks"),
    "segstudy.fingerprint",
)


@cache
def code(*modules: str) -> str:
    """Return a hash of the code that `modules` (dotted names) run: they and every segstudy module they import.

    Comments, docstrings, blank lines and formatting do not count; lazy imports inside functions do.

    Raises:
        ModuleNotFoundError: if a module is not part of segstudy.
    """
    digest = hashlib.sha256()
    for module in sorted(_closure(modules)):
        digest.update(f"{module}\n{_meaning(_file(module))}\n".encode())
    return digest.hexdigest()[:16]


@cache
def network(kind: str, *modules: str) -> str:
    """Return the hash of `modules` and of the code of a network; where a library builds it, the library's version too.

    A network that no distribution brings (a file of the user's own on PYTHONPATH) counts by the content of its package.

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
        return {name: _version(name) for name in _distributions().get(package, [package])}
    return {name: _version(name) for name in BUILT_BY.get(kind, ())}


@cache
def _distributions() -> dict[str, list[str]]:
    """Return which distributions bring a package; reading what all of them bring takes a moment."""
    return {name: sorted(set(found)) for name, found in importlib.metadata.packages_distributions().items()}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return _content(name)


def _content(package: str) -> str:
    """Return a hash of the Python files of a package or module that is no distribution, 'absent' if there is none."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return "absent"
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    files = sorted(file for folder in folders for file in folder.rglob("*.py")) or [Path(str(spec.origin))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:16]


@cache
def raw_folder(root: Path, drawn: str = "") -> str:
    """Return a hash of every file name, size and modification time below `root`.

    For a data set that segstudy draws itself, `drawn` is the resolved setting it is drawn from: as long as the
    folder is absent or exactly as it was drawn, the hash depends on that setting alone, so that it is the same
    before and after the drawing; once somebody has changed a file there, it is the hash of what lies there.
    """
    files = listing(root)
    if drawn:
        manifest = root / "phantom.json"
        if not manifest.exists() or json.loads(manifest.read_text(encoding="utf-8"))["files"] == files:
            return hashlib.sha256(drawn.encode()).hexdigest()[:16]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def listing(root: Path) -> list[list[str | int]]:
    """Return [relative path, bytes, modification time in ns] of every file below `root`, sorted.

    Hidden files and the manifest of a drawn data set do not count.
    """
    found: list[list[str | int]] = []
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders.sort()
        for name in names:
            path = Path(folder, name)
            if name == "phantom.json" or name.startswith("."):
                continue
            status = path.stat()
            found.append([path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns])
    return sorted(found)


def _closure(modules: tuple[str, ...]) -> set[str]:
    seen: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module in seen or module.startswith(IGNORED):
            continue
        seen.add(module)
        queue += _imports(_file(module), module)
    return seen


@cache
def _file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if module.split(".", maxsplit=1)[0] == PACKAGE.name and candidate.exists():
            return candidate
    raise ModuleNotFoundError(f"no module {module} in {PACKAGE}")


def _is_module(module: str) -> bool:
    try:
        return module.split(".", maxsplit=1)[0] == PACKAGE.name and _file(module).exists()
    except ModuleNotFoundError:
        return False


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _imports(path: Path, module: str) -> list[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        found += [name for name in names if _is_module(name) and name != PACKAGE.name]
    return found


@cache
def _meaning(path: Path) -> str:
    """Return the syntax tree as text, without docstrings: what is left changes only when the code does."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", [])
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _is_text(body):
            node.body = body[1:] or [ast.Pass()]
    return ast.dump(tree)


def _is_text(body: list[ast.stmt]) -> bool:
    first = body[0].value if body and isinstance(body[0], ast.Expr) else None
    return isinstance(first, ast.Constant) and isinstance(first.value, str)
