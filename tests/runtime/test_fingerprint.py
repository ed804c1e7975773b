"""Fingerprints change when, and only when, a result could."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from segstudy.runtime import fingerprint, own_modules

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


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A network of one's own, the modules that it imports from beside it, and one that nobody imports."""
    texts = {
        "nets_a.py": "import json\nfrom blocks_a import conv\n",
        "blocks_a.py": "def conv():\n    import more_a.deep as deep\n    return deep\n",
        "more_a/__init__.py": "",
        "more_a/deep.py": "import nets_a\n",
        "other_a.py": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_modules_beside_a_network_of_ones_own_count(own):
    before = own_modules.content("nets_a")
    for name, counts in (("blocks_a.py", True), ("more_a/deep.py", True), ("other_a.py", False)):
        text = (own / name).read_text()
        (own / name).write_text(f"{text}x = 1\n")
        assert (own_modules.content("nets_a") != before) == counts
        (own / name).write_text(text)
    assert own_modules.content("nets_a") == before and own_modules.content("nets_of_nobody") == "absent"
    alone = hashlib.sha256((own / "other_a.py").read_bytes()).hexdigest()[:16]
    assert own_modules.content("other_a") == alone


def test_libraries_beside_an_installed_module_do_not_count(own, tmp_path, monkeypatch):
    installed = tmp_path / "site-packages"
    installed.mkdir()
    for name in ("nets_a.py", "blocks_a.py"):
        (own / name).rename(installed / name)
    monkeypatch.syspath_prepend(installed)
    assert own_modules.content("nets_a") == hashlib.sha256((installed / "nets_a.py").read_bytes()).hexdigest()[:16]


def test_what_is_installed_to_be_edited_counts_by_content(own):
    info = own / "nets_a-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nets_a\nVersion: 1.0\n")
    assert fingerprint.libraries("nets_a:Net") == {"nets_a": "1.0"}
    (info / "direct_url.json").write_text('{"url": "file:///x", "dir_info": {"editable": true}}')
    assert fingerprint.libraries("nets_a:Net") == {"nets_a": f"1.0 {own_modules.content('nets_a')}"}
