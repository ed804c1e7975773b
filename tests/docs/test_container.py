"""The container's definition, read as Apptainer reads it: it cannot be built where the tests run."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Sections of a definition file, as Apptainer's manual lists them.
SECTIONS = {"files", "post", "environment", "runscript", "startscript", "test", "labels", "help", "setup", "arguments"}


@pytest.fixture(scope="module")
def definition():
    """The header's keys and the sections' lines."""
    head, *rest = re.split(r"(?m)^%", (ROOT / "envs/segstudy.def").read_text())
    lines = [line for line in head.splitlines() if line.strip() and not line.startswith("#")]
    header = dict(line.split(": ", maxsplit=1) for line in lines)
    sections = [section.partition("\n") for section in rest]
    return header, {name.split()[0]: text for name, _, text in sections}


def test_it_is_of_the_parts_that_there_are(definition):
    header, sections = definition
    assert set(sections) <= SECTIONS and {"files", "post", "environment", "runscript"} <= set(sections)
    assert set(header) == {"Bootstrap", "From"} and header["Bootstrap"] == "docker"


def test_the_python_of_the_image_is_new_enough(definition):
    version = re.fullmatch(r"python:(\d+)\.(\d+)-slim-\w+", definition[0]["From"])
    least = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert tuple(map(int, version.groups())) >= tuple(map(int, re.findall(r"\d+", least)))


def test_what_it_copies_is_there_and_what_it_installs_is_known(definition):
    copied = [line.split() for line in definition[1]["files"].splitlines() if line.strip()]
    assert all((ROOT / source).exists() and target.startswith("/opt/segstudy/") for source, target in copied)
    installed = re.search(r"-c (\S+) '(/opt/segstudy)\[([\w,]+)\]'", definition[1]["post"])
    assert installed[1] in {target for _, target in copied}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(installed[3].split(",")) <= set(project["optional-dependencies"])
    # What pip needs to read the project: its readme and its licences are files of their own.
    needed = {project["readme"], *project.get("license-files", [])}
    assert needed <= {source for source, _ in copied}


@pytest.mark.parametrize("section", ["post", "environment", "runscript"])
def test_its_scripts_are_shell(definition, section):
    checked = subprocess.run(["sh", "-n"], input=definition[1][section], text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
