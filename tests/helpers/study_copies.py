"""Working copies of the project with a tiny study in them, for tests that run whole studies."""

import atexit
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.helpers.commands import ask, server_of_libraries

ROOT = Path(__file__).resolve().parents[2]


PARTS = ("Snakefile", "config.yaml", "rules", "workflow", "envs", "profiles", "lsf", "studies")


STUDY = {
    "study": "tiny",
    "datasets": {
        "ph2": {"phantom": {"images": 16, "height": 48, "width": 64}, "size": {"height": 48, "width": 64}},
        "drive": {"phantom": {"images": 10, "height": 64, "width": 64}, "training": {"crop": [32, 32]}},
    },
    "models": {"encdec": {"depth": 2, "width": 2}, "unet": {"depth": 2, "width": 2}},
    "recipes": {"default": {"epochs": 2}},
    "experiments": {
        "losses": {
            "question": "Which loss?",
            "datasets": ["ph2", "drive"],
            "models": ["unet"],
            "losses": ["bce", "focal"],
            "seeds": 2,
        }
    },
}


class Outcome(NamedTuple):
    """What a call of Snakemake gave."""

    code: int
    text: str

    @property
    def jobs(self) -> Counter:
        """Jobs by rule that were run or, in a dry run, would be."""
        return Counter(re.findall(r"(?m)^(?:local)?rule (\w+):", self.text))

    @property
    def trained(self) -> set[str]:
        """Cells that were trained or would be, as dataset/model/loss/seed."""
        found = set()
        for wildcards in re.findall(r"(?ms)^(?:local)?rule train:.*?^    wildcards: (.*?)$", self.text):
            values = dict(re.findall(r"(\w+)=([\w.-]+)", wildcards))
            found.add("/".join(values[key] for key in ("dataset", "model", "loss", "seed")))
        return found


class Copy:
    """A copy of the project in an empty folder, used as a person would from a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = yaml.safe_load(yaml.safe_dump(STUDY))

    def write(self) -> None:
        (self.folder / "study.yaml").write_text(yaml.safe_dump(self.study, sort_keys=False))

    def snakemake(
        self, *arguments: str, profile: str = "profiles/local", timeout: int = 900, plain: bool = False
    ) -> Outcome:
        self.write()
        command = ("snakemake", *arguments, "--profile", profile, "--configfile", "study.yaml")
        return self.run(*command, timeout=timeout, plain=plain)

    def run(self, *command: str, timeout: int = 900, plain: bool = False) -> Outcome:
        """Run a command of the environment that the tests run in, over the package of this copy.

        Command and jobs are forks of a process that has imported the libraries; `plain`, and all with STUDIES_PLAIN=1
        in the environment: processes of their own, as from a terminal.
        """
        path = Path(sys.executable).parent
        environment = os.environ | {"PYTHONPATH": str(self.folder / "workflow"), "PATH": f"{path}:{os.environ['PATH']}"}
        if plain or os.environ.get("STUDIES_PLAIN"):
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            done = subprocess.run(command, cwd=self.folder, env=environment, check=False, timeout=timeout, **pipes)
            return Outcome(done.returncode, done.stdout)
        with tempfile.TemporaryFile() as output, open(os.devnull, "rb") as nothing:
            descriptors = (nothing.fileno(), output.fileno(), output.fileno())
            code = ask(server_of_libraries(), command, self.folder, environment, descriptors, timeout)
            output.seek(0)
            return Outcome(code, output.read().decode())

    def plan(self, *arguments: str) -> Outcome:
        outcome = self.snakemake("-n", *arguments)
        assert outcome.code == 0, outcome.text
        return outcome

    def file(self, path: str) -> Path:
        return self.folder / path

    def forget_trainings(self) -> None:
        """Remove what is kept of finished trainings: a cell that is asked for again is trained, not taken over."""
        shutil.rmtree(self.folder / "results/.trained", ignore_errors=True)

    def append(self, path: str, text: str) -> None:
        file = self.file(path)
        file.write_text(file.read_text() + text)


COMPILE = """
import compileall
from segstudy.runtime import fingerprint
for path in sorted(fingerprint.PACKAGE.rglob("[a-z]*.py")):
    fingerprint.code(".".join(path.relative_to(fingerprint.PACKAGE.parent).with_suffix("").parts))
for path in fingerprint.SCRIPTS.glob("*.py"):
    fingerprint.script(path.stem)
compileall.compile_dir(fingerprint.PACKAGE, quiet=1)
"""


@functools.cache
def compiled_workflow() -> Path:
    """Return workflow/ with what its first command leaves: compiled modules, hashes of the code. Copies keep both."""
    scratch = tempfile.TemporaryDirectory(prefix="workflow-")
    atexit.register(scratch.cleanup)
    folder = Path(scratch.name) / "workflow"
    shutil.copytree(ROOT / "workflow", folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", COMPILE], env=kept | {"PYTHONPATH": str(folder)}, check=True)
    return folder


def new_copy(folder: Path) -> Copy:
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = compiled_workflow() if part == "workflow" else ROOT / part
        if source.is_symlink():
            (folder / part).symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(source, folder / part)
        else:
            shutil.copy2(source, folder / part)
    return Copy(folder)
