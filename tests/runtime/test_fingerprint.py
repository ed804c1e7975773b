"""Fingerprints change when, and only when, a result could."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from segstudy.runtime import fingerprint

PACKAGE = Path(fingerprint.__file__).parents[1]


def code_in(package, *modules):
    """The fingerprint as a fresh process over a copy of the package sees it."""
    program = f"from segstudy.runtime import fingerprint; print(fingerprint.code(*{modules!r}))"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=package.parent,
        env={"PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture
def package(tmp_path):
    copy = tmp_path / "segstudy"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_comments_and_docstrings_do_not_count(package):
    before = code_in(package, "segstudy.core.files")
    edit(package / "core" / "files.py", '"""Write', '"""Put')
    edit(package / "core" / "files.py", "import os\n", "import os  # the operating system\n\n")
    assert code_in(package, "segstudy.core.files") == before


def test_code_counts_through_imports(package):
    before = code_in(package, "segstudy.training.cell")
    (package / "losses" / "build.py").write_text((package / "losses" / "build.py").read_text() + "\nEXTRA = 1\n")
    assert code_in(package, "segstudy.training.cell") != before


@pytest.fixture
def small(tmp_path):
    """A package with the fingerprint and three modules: `user` runs `help` as a module and two names of `two`."""
    package = tmp_path / "segstudy"
    for room in ("core", "config", "runtime"):
        shutil.copytree(PACKAGE / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "__init__.py", package / "__init__.py")
    (package / "help.py").write_text('"""Help."""\n\nSIZE = 3\n')
    (package / "two.py").write_text("def low():\n    return 1\n\n\ndef high():\n    return 2\n")
    (package / "user.py").write_text(
        "from segstudy import help\nfrom segstudy.two import high, low\n\n\ndef use():\n"
        "    return [help.SIZE, low(), high()]\n"
    )
    return package


def test_a_module_moved_and_renamed_does_not_count_and_a_constant_in_it_does(small):
    before = code_in(small, "segstudy.user")
    (small / "room" / "inner").mkdir(parents=True)
    (small / "room" / "__init__.py").write_text('"""Where both lie now."""\n')
    (small / "room" / "inner" / "__init__.py").write_text("")
    (small / "help.py").rename(small / "room" / "assistance.py")
    (small / "two.py").rename(small / "room" / "inner" / "pair.py")
    edit(small / "user.py", "from segstudy import help", "from segstudy.room import assistance")
    edit(small / "user.py", "help.SIZE", "assistance.SIZE")
    edit(small / "user.py", "segstudy.two", "segstudy.room.inner.pair")
    (small / "user.py").rename(small / "room" / "caller.py")
    assert code_in(small, "segstudy.room.caller") == before
    edit(small / "room" / "assistance.py", "SIZE = 3", "SIZE = 4")
    assert code_in(small, "segstudy.room.caller") != before


def test_a_module_of_the_package_moved_to_another_room_does_not_count(package):
    cell = ("segstudy.training.cell", "segstudy.models.unet")
    before = code_in(package, *cell)
    (package / "training" / "optim.py").rename(package / "data" / "rates.py")
    for path in package.rglob("*.py"):
        path.write_text(path.read_text().replace("segstudy.training.optim", "segstudy.data.rates"))
    assert code_in(package, *cell) == before
    (package / "data" / "rates.py").write_text((package / "data" / "rates.py").read_text() + "\nEXTRA = 1\n")
    assert code_in(package, *cell) != before


def test_names_exchanged_between_two_imports_count(small):
    before = code_in(small, "segstudy.user")
    edit(small / "user.py", "import high, low", "import high as low, low as high")
    assert code_in(small, "segstudy.user") != before


def test_modules_exchanged_between_two_imports_count(small):
    (small / "other.py").write_text("SIZE = 5\n")
    edit(small / "user.py", "import help", "import help, other")
    edit(small / "user.py", "help.SIZE", "help.SIZE, other.SIZE")
    before = code_in(small, "segstudy.user")
    edit(small / "user.py", "import help, other", "import help as other, other as help")
    assert code_in(small, "segstudy.user") != before


def test_another_network_does_not_count(package):
    before = code_in(package, "segstudy.training.cell", "segstudy.models.unet")
    (package / "models" / "segnet.py").write_text((package / "models" / "segnet.py").read_text() + "\nEXTRA = 1\n")
    assert code_in(package, "segstudy.training.cell", "segstudy.models.unet") == before
    (package / "models" / "unet.py").write_text((package / "models" / "unet.py").read_text() + "\nEXTRA = 1\n")
    assert code_in(package, "segstudy.training.cell", "segstudy.models.unet") != before


@pytest.mark.parametrize("module", ["figures/gallery.py", "tables/results.py", "config/recipes.py", "runtime/job.py"])
def test_what_cannot_change_a_training_does_not_count(package, module):
    before = code_in(package, "segstudy.training.cell", "segstudy.models.unet")
    (package / module).write_text((package / module).read_text() + "\nEXTRA = 1\n")
    assert code_in(package, "segstudy.training.cell", "segstudy.models.unet") == before


def test_a_module_that_does_not_exist_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        fingerprint.code("segstudy.nothing")
