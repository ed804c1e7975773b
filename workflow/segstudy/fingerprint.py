"""Fingerprints that tell Snakemake what it cannot see: changed code of the package, changed raw files."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# Modules that cannot change a number: what the config resolves to is a rule parameter already, and the others
# only speak to the person or carry the job.
IGNORED = ("segstudy.config", "segstudy.errors", "segstudy.progress", "segstudy.jobs", "segstudy.fingerprint")


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
