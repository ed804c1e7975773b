"""Hash the Python files of a network of the user's own: its module or package, and what it imports from beside it."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Collection
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

INSTALLED = ("site-packages", "dist-packages")  # beside a module there lie libraries


def content(package: str) -> str:
    """Return a hash of the Python files of a package or module and of its neighbours, 'absent' if there is none.

    Neighbours are the modules and packages in the same folder that an import names, in the module itself or in another
    neighbour. A module that is installed has none, and segstudy is none.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        return "absent"
    files = _files(spec)
    folder = Path([*(spec.submodule_search_locations or []), str(spec.origin)][0]).parent
    if folder.is_dir() and not {*INSTALLED} & {*folder.parts}:
        files += _neighbours(files, folder, {package, __name__.partition(".")[0]})
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:16]


def _files(spec: ModuleSpec) -> list[Path]:
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    return sorted(file for folder in folders for file in folder.rglob("*.py")) or [Path(str(spec.origin))]


def _neighbours(files: list[Path], folder: Path, besides: set[str]) -> list[Path]:
    """Return the files of the modules in `folder` that `files` import, directly or not."""
    names = {path.name.partition(".")[0] for path in folder.iterdir()} - besides - {""}
    found: dict[str, list[Path]] = {}
    queue = list(files)
    while queue:
        for name in _imported(queue.pop(), names - found.keys()):
            spec = PathFinder.find_spec(name, [str(folder)])
            found[name] = _files(spec) if spec else []
            queue += found[name]
    return [file for name in sorted(found) for file in found[name]]


def _imported(file: Path, names: Collection[str]) -> set[str]:
    """Return those of `names` that a file imports; none of a file that Python cannot read: the training says so."""
    text = file.read_bytes() if file.suffix == ".py" and file.is_file() else b""
    if not any(name.encode() in text for name in names):  # no need to parse it
        return set()
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        return set()
    said = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    said |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in said} & {*names}
