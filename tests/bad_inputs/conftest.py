"""The server of commands and the bases of the rows, once for a process of tests."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `tests.`, where pytest was called by its name

from tests.bad_inputs import bases
from tests.helpers.commands import Commands, started
from tests.helpers.session_folders import made_once


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder whose path is short, as that of a socket must be, and holds no link."""
    folder = Path(tempfile.mkdtemp(prefix="bad-inputs-")).resolve()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def commands(scratch: Path) -> Iterator[Commands]:
    with started(scratch) as server:
        yield server


@pytest.fixture(scope="session")
def config(scratch: Path, commands: Commands) -> Path:
    return bases.new_config(scratch / "config", commands)


@pytest.fixture(scope="session")
def finished(scratch: Path, config: Path, commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = made_once(
        tmp_path_factory, "finished-of-bad-inputs", lambda folder: bases.new_finished(folder, config, commands)
    )
    bases.copied(made, scratch / "finished")
    return scratch / "finished"
