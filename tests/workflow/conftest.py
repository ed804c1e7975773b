"""A working copy of the project and a tiny study in it, run once in a session."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.session_folders import made_once
from tests.helpers.study_copies import Copy, new_copy


def run_to_the_end(folder: Path) -> None:
    outcome = new_copy(folder).snakemake()
    assert outcome.code == 0, outcome.text


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Copy:
    """The tiny study, run to the end. Tests must not change it: see `changed`."""
    made = made_once(tmp_path_factory, "finished-study", run_to_the_end)
    folder = tmp_path_factory.mktemp("finished") / "study"  # Snakemake locks the folder that it works in
    shutil.copytree(made, folder, symlinks=True, copy_function=shutil.copy2)
    return Copy(folder)


@pytest.fixture
def changed(finished, tmp_path) -> Copy:
    """A copy of the finished study, with its results, that a test may change; without what is kept of its trainings."""
    folder, kept = tmp_path / "changed", shutil.ignore_patterns(".trained")
    shutil.copytree(finished.folder, folder, symlinks=True, ignore=kept, copy_function=shutil.copy2)
    return Copy(folder)


@pytest.fixture
def fresh(tmp_path) -> Copy:
    """A copy in which nothing has run."""
    return new_copy(tmp_path / "fresh")
