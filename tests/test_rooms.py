"""Who may import whom: the table below is the architecture, and the code is held against it."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "workflow" / "segstudy"

# Each room, and the rooms it may import: only those above it in this list.
ALLOWED = {
    "core": "",
    "config": "core",
    "runtime": "core config",
    "losses": "core config",
    "data.images": "core config",
    "data.readers": "core config data.images",
    "data.phantoms": "core config runtime data.images data.readers",
    "data": "core config data.images data.readers data.phantoms",
    "data.checks": "core config data.images data",
    "models": "core config runtime",
    "evaluation": "core config data.images data",
    "training": "core config runtime losses data.images data models",
    "tables": "core config data.images data evaluation",
    "inference": "core config runtime data.images data models evaluation training",
    "study": "core config runtime data evaluation tables",
    "figures": "core config runtime data.images data models evaluation training inference tables",
    "report": "core config data.images data.readers data evaluation tables",
    "deploy": "core config runtime data.images data.readers data models evaluation inference tables",
    "cli": "core config runtime data models evaluation tables deploy study",
}
TOP = 8  # modules beside the rooms, at most
SENTENCES = 3  # of a room's own description


def modules():
    """Dotted name -> file, of the whole package."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        name = ".".join(("segstudy", *file.relative_to(PACKAGE).with_suffix("").parts))
        found[name.removesuffix(".__init__")] = file
    return found


MODULES = modules()


def room_of(module):
    """The room of a module: a folder of the package, or one of the four inside `data`; '' beside the rooms."""
    parts = module.split(".")[1:]
    for length in (2, 1):
        if ".".join(parts[:length]) in ALLOWED:
            return ".".join(parts[:length])
    return ""


def imports():
    """(module, line, imported module) of every import inside the package, also inside functions and for types alone."""
    for module, file in MODULES.items():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "segstudy":
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield module, node.lineno, inner if inner in MODULES else node.module
            elif isinstance(node, ast.Import):
                yield from ((module, node.lineno, alias.name) for alias in node.names if alias.name in MODULES)
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{file}:{node.lineno}: a relative import"


IMPORTS = list(imports())


def test_every_room_imports_only_what_it_may():
    wrong = []
    for module, line, other in IMPORTS:
        mine, theirs = room_of(module), room_of(other)
        if mine and theirs and mine != theirs and theirs not in ALLOWED[mine].split():
            file = MODULES[module].relative_to(ROOT)
            wrong.append(f"{file}:{line}: {mine} imports {other}; it may import: {ALLOWED[mine] or 'nothing'}")
    assert not wrong, "\n".join(wrong)


def test_a_wrong_import_would_be_found():
    assert room_of("segstudy.training.tasks.base") == "training"
    assert room_of("segstudy.data.images.read") == "data.images"
    assert room_of("segstudy.data.store") == "data"
    assert len(IMPORTS) > 500 and "tables" not in ALLOWED["evaluation"]


def test_the_table_itself_points_down():
    rooms = list(ALLOWED)
    for room, below in ALLOWED.items():
        assert all(rooms.index(other) < rooms.index(room) for other in below.split()), room


def test_no_module_imports_itself_by_way_of_others():
    edges = defaultdict(set)
    for module, _, other in IMPORTS:
        edges[module].add(other)
    done, path = set(), []

    def visit(module):
        assert module not in path, "an import circle: " + " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            path.append(module)
            for other in sorted(edges[module]):
                visit(other)
            path.pop()
            done.add(module)

    for module in sorted(MODULES):
        visit(module)


def test_beside_the_rooms_lie_few_modules():
    assert len(list(PACKAGE.glob("*.py"))) <= TOP
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == {room.split(".")[0] for room in ALLOWED}


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_says_what_lives_there_and_holds_nothing_else(room):
    tree = ast.parse((PACKAGE / room.replace(".", "/") / "__init__.py").read_text())
    text = ast.get_docstring(tree)
    assert text and len(tree.body) == 1, f"{room}/__init__.py is a docstring and nothing else"
    assert text.split("\n\n")[0].count(".") >= 1 and len(text.split("\n\n")[0].split(". ")) <= SENTENCES
