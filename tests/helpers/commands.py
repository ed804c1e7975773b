"""Run a command line in a folder: through the preloaded server, or as a shell would (BAD_INPUTS_PLAIN=1)."""

from __future__ import annotations

import array
import atexit
import functools
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.helpers import privileges

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 120
SERVERS: set[int] = set()  # processes that run commands now

# What stands for the interpreter in commands that the server runs: it hands scripts and Snakemake back to the server.
# As few imports as it can do with: it starts for every job.
SHIM = """#!{python} -IS
import _socket, array, os, sys
words = sys.argv[1:]
kind = "script" if words and words[0].endswith(".py") else "snakemake" if words[:2] == ["-m", "snakemake"] else ""
if not kind:
    os.execv({python!r}, [{python!r}, *words])
words = words if kind == "script" else ["snakemake", *words[2:]]
request = dict(kind=kind, arguments=words, folder=os.getcwd(), environment=dict(os.environ), python=sys.argv[0])
connection = _socket.socket(_socket.AF_UNIX)
connection.connect({place!r})
connection.sendmsg([b" "], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
connection.sendall(ascii(request).encode() + b"\\n")
answer = b""
while part := connection.recv(64):
    answer += part
sys.exit(int(answer))
"""


class Outcome(NamedTuple):
    """What a command gave."""

    code: int
    text: str


class Commands:
    """Runs command lines over the package of this checkout."""

    def __init__(self, place: Path | None) -> None:
        self.place = place  # of the server's socket; none: plain processes

    def run(self, line: str, folder: Path, timeout: float = TIMEOUT, unprivileged: bool = False) -> Outcome:
        """Run `line` in `folder`; return its exit code and what it printed, stdout and stderr as they came.

        `unprivileged`: without root's right to read and write everything, see `privileges`.
        """
        words = shlex.split(line)
        output = folder.with_name(f"{folder.name}.output")
        environment = _environment(folder) | ({privileges.VARIABLE: "1"} if unprivileged else {})
        with output.open("wb") as file, open(os.devnull, "rb") as nothing:
            if self.place is None:
                streams: dict[str, Any] = {"stdin": nothing, "stdout": file, "stderr": file}
                streams["preexec_fn"] = privileges.drop if unprivileged else None
                done = subprocess.run(words, cwd=folder, env=environment, timeout=timeout, check=False, **streams)
                code = done.returncode
            else:
                descriptors = (nothing.fileno(), file.fileno(), file.fileno())
                code = ask(self.place, words, folder, environment, descriptors, timeout)
        return Outcome(code, output.read_text(encoding="utf-8", errors="replace"))


def ask(
    place: Path,
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    descriptors: Sequence[int],
    timeout: float,
) -> int:
    """Let the server at the socket `place` run a command with these descriptors as stdin, stdout and stderr.

    Return the command's exit code.
    """
    assert words[0] in ("segstudy", "snakemake"), f"a command begins with segstudy or snakemake: {words}"
    request = {
        "kind": words[0],
        "arguments": list(words),
        "folder": str(folder),
        "environment": dict(environment),
        "python": str(place.with_name("python")),
    }
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(str(place))
        connection.sendmsg([b" "], [rights])
        connection.sendall(ascii(request).encode() + b"\n")
        answer = b""
        while part := connection.recv(64):
            answer += part
    return int(answer)


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a command: the tests' own, without what a person's settings may bring."""
    binaries = Path(sys.executable).parent
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SNAKEMAKE", "SEGSTUDY", "PYTEST"))}
    return kept | {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "workflow"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "150",
        "HOME": str(folder.parent),
        "PWD": str(folder),
    }


@contextmanager
def started(scratch: Path) -> Iterator[Commands]:
    """Start the server in `scratch` (a short path: names of sockets are), and end it."""
    if os.environ.get("BAD_INPUTS_PLAIN"):
        yield Commands(None)
        return
    environment = _environment(scratch / "home") | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    with served(scratch, environment, str(ROOT / "workflow")) as place:
        yield Commands(place)


@contextmanager
def served(scratch: Path, environment: Mapping[str, str], *package: str) -> Iterator[Path]:
    """Start a server in `scratch` that has imported the libraries, and segstudy of the folder `package`; end it.

    The value is the path of its socket.
    """
    place, python = scratch / "socket", scratch / "python"
    python.write_text(SHIM.format(python=sys.executable, place=str(place)))
    python.chmod(0o755)
    words = [sys.executable, "-m", "tests.helpers.command_server", str(place), *package]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        (scratch / "server.log").open("wb") as log,
        subprocess.Popen(words, cwd=ROOT, env=environment, stderr=log, **pipes) as server,
    ):
        try:
            assert server.stdout is not None
            ready = server.stdout.readline()
            assert ready == b"ready\n", (scratch / "server.log").read_text()
            SERVERS.add(server.pid)
            yield place
        finally:
            SERVERS.discard(server.pid)
            server.terminate()


@functools.cache
def server_of_libraries() -> Path:
    """Return the socket of a server that lives as long as this process and has imported the libraries.

    `python` beside it runs scripts in forks of the server, with the package of the environment's PYTHONPATH.
    """
    resources = ExitStack()
    atexit.register(resources.close)
    scratch = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="studies-"))).resolve()
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    return resources.enter_context(served(scratch, kept | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}))
