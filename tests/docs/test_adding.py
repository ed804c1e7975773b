"""The pages that say how to add something, followed to the letter in a copy of the project.

A block of code with a title is written where the title says, a block of bash is run. In a title, "in NAME" is the end
of the list, tuple or mapping NAME, "above X" and "below X" the first line that begins with X (the row of X, the import
from X), and a file alone is a new one.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r'^( *)```(\w+)(?: title="([^",]+)(?:, (.+?))?")?\n(.*?)^\1```$', re.DOTALL | re.MULTILINE)


run = partial(subprocess.run, capture_output=True, text=True, check=False)


def at_the_end_of(name, text, added):
    """`text` with `added` as the last entries of the literal that is assigned to `name`."""
    value = next(
        node.value
        for node in ast.parse(text).body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0]) == name
    )
    lines = text.splitlines(keepends=True)
    end = sum(map(len, lines[: value.end_lineno - 1])) + value.end_col_offset - 1
    before = text[:end].rstrip()
    comma = "" if before.endswith((",", "(", "[", "{")) else ","
    return f"{before}{comma}\n{textwrap.indent(added, '    ')}{text[end:]}"


def beside(side, what, text, added):
    """`text` with `added` above or below the first line that begins with `what`."""
    lines = text.splitlines(keepends=True)
    begins = re.compile(rf"(?:\| `|from )?{re.escape(what)}\b")
    number = next(number for number, line in enumerate(lines) if begins.match(line))
    while side == "above" and lines[number - 1].startswith("#"):
        number -= 1  # a comment belongs to what it stands above
    return "".join([*lines[: number + (side == "below")], added, *lines[number + (side == "below") :]])


def follow(page, folder, environment):
    """Do what the page says below `folder`; return what the last command printed."""
    said = ""
    for indent, language, file, place, code in BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        content = "".join(line.removeprefix(indent) for line in code.splitlines(keepends=True))
        if language == "bash":
            command = re.sub(r"\bpython (?=-m|docs/)", f"{sys.executable} ", content)
            done = run(["bash", "-euc", command], cwd=folder, env=environment)
            assert done.returncode == 0, done.stdout + done.stderr
            said = done.stdout
        elif file:
            path = folder / file
            assert path.exists() == bool(place), f"{file} is new exactly if no place in it is named"
            side, _, what = place.partition(" ")
            if not place:
                written = content
            elif place == "at the end":
                written = path.read_text(encoding="utf-8") + content
            elif side == "in":
                written = at_the_end_of(what, path.read_text(encoding="utf-8"), content)
            else:
                written = beside(side, what, path.read_text(encoding="utf-8"), content)
            path.write_text(written, encoding="utf-8")
    return said


@pytest.fixture
def copy(tmp_path):
    """What a checkout holds, without its past."""
    folder = tmp_path / "segstudy"
    for name in ("workflow", "tests", "docs", "studies"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "constraints.txt", "config.yaml", "envs", "README.md"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    return folder


@pytest.fixture
def environment(copy, tmp_path):
    """The code of the copy, whatever else is installed, and a folder of data that nobody else has."""
    for number, name in enumerate(("a", "b", "c")):
        for part, value in (("frames", 40 * number), ("drawn", 255)):
            picture = Image.new("L", (24, 16), value if part == "frames" else 0)
            picture.paste(200 if part == "frames" else value, (4, 4, 12 + number, 10))
            (tmp_path / "data/Cells" / part).mkdir(parents=True, exist_ok=True)
            picture.save(tmp_path / "data/Cells" / part / f"{name}.png")
    paths = {"PYTHONPATH": str(copy / "workflow"), "SEGSTUDY_REAL_DATA": str(tmp_path / "data")}
    return os.environ | paths | {"OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("page", "least"), [("adding-a-dataset.md", 9), ("adding-a-network.md", 20), ("adding-a-loss.md", 30)]
)
def test_what_a_page_says_works_as_written(page, least, copy, environment):
    said = follow(page, copy, environment)
    passed = re.search(r"(\d+) passed", said)
    assert passed and int(passed[1]) >= least and "skipped" not in said and "failed" not in said, said
