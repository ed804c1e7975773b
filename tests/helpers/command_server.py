"""A process that has imported the heavy libraries and runs commands in forks of itself.

`python -m tests.helpers.command_server SOCKET [PACKAGE]` listens on SOCKET. A command costs its work then, not the
seconds that its imports take: two hundred commands fit into two minutes. Before a fork things are imported, not used,
so that a command finds no state of another one, and reads its arguments, its environment and its folder as it would
from a shell. Without the folder PACKAGE only libraries are imported before: a command takes segstudy from its
PYTHONPATH.
"""

from __future__ import annotations

import array
import ast
import atexit
import contextlib
import gc
import importlib
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType

from PIL import Image

from tests.helpers import privileges

LIBRARIES = (
    *("torch", "pandas", "pydantic", "scipy.ndimage", "scipy.stats", "skimage.morphology", "skimage.measure"),
    *("matplotlib.pyplot", "seaborn", "safetensors.torch", "jinja2", "markdown", "openpyxl", "snakemake.cli"),
    *("snakemake.api", "snakemake.script", "snakemake.workflow", "snakemake.executors.local", "rich.markdown"),
    *(
        "snakemake.report",
        "snakemake.executors.dryrun",
        "nbformat",
        "requests",
        "yaml",
        "PIL.ImageDraw",
        "PIL.ImageFont",
    ),
    *("matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "torch.fx", "torch.utils.flop_counter"),
)


def preload(package: str) -> None:
    """Import what commands and jobs import; of segstudy in the folder `package`, read the code for its fingerprints."""
    for name in LIBRARIES:
        importlib.import_module(name)
    Image.init()  # imports its formats
    if package:
        _preload_package(package)
    else:
        assert "segstudy" not in sys.modules
    gc.collect()
    gc.freeze()


def _preload_package(folder: str) -> None:
    sys.path.insert(0, folder)
    import segstudy
    from segstudy.runtime import fingerprint

    for module in pkgutil.walk_packages(segstudy.__path__, "segstudy."):
        if not module.name.endswith(("__main__", ".library_classes", ".torchvision_import", ".encoder_unet")):
            importlib.import_module(module.name)
            fingerprint.code(module.name)  # remembers code alone: the same in every folder


def serve(place: str, package: str = "") -> None:
    """Accept commands until stdin ends; every connection is one command and gets its exit code.

    A command is one fork of this process, which costs 20 ms: its memory is large.
    """
    preload(package)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(place)
    listening.listen(64)
    running: dict[int, socket.socket] = {}
    signal.signal(signal.SIGCHLD, lambda *_: _answer(running))
    print("ready", flush=True)
    while listening in select.select([listening, sys.stdin], [], [])[0]:
        connection, _ = listening.accept()
        try:
            request, descriptors = _received(connection)
        except (OSError, SyntaxError):  # killed before it had asked
            connection.close()
            continue
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        child = os.fork()
        if child == 0:
            for other in (listening, connection, *running.values()):
                other.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            _become(request, descriptors)
        running[child] = connection
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(running: dict[int, socket.socket]) -> None:
    """Send the exit codes of the commands that have ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with running.pop(ended[0]) as connection, contextlib.suppress(OSError):  # nobody waits any more
                connection.sendall(str(os.waitstatus_to_exitcode(ended[1])).encode())


def _received(connection: socket.socket) -> tuple[dict, list[int]]:
    """Return a request and the descriptors of its stdin, stdout and stderr."""
    with connection.makefile("rb") as stream:
        ancillary: list[tuple[int, int, bytes]] = []
        _, ancillary, *_ = connection.recvmsg(1, socket.CMSG_LEN(3 * array.array("i").itemsize))
        request = ast.literal_eval(stream.readline().decode())
    found = array.array("i")
    for _, _, data in ancillary:
        found.frombytes(data)
    return request, list(found)


def _become(request: dict, descriptors: Sequence[int]) -> None:
    """Do as a new interpreter that was started with these arguments, and end."""
    os.setsid()
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    if privileges.VARIABLE in request["environment"]:
        privileges.drop()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = os.path.dirname(sys.executable)  # where the commands lie
    sys.path[1:1] = filter(None, request["environment"].get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = request["arguments"]
    sys.modules["__main__"] = ModuleType("__main__")  # typer asks it for the name of the program
    sys.modules["snakemake.workflow"].Workflow._rundir = os.getcwd()  # found out when the module was imported
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        code = _exit_code(_work(request))
    except BaseException:
        traceback.print_exc()
    for flush in (threading._shutdown, atexit._run_exitfuncs, sys.stdout.flush, sys.stderr.flush):  # type: ignore[attr-defined]
        with contextlib.suppress(Exception):
            flush()
    os._exit(code)


def _work(request: dict) -> Callable[[], object]:
    """Return what a command line of this name runs."""
    if request["kind"] == "script":
        path = request["arguments"][0]
        sys.path[0] = os.path.dirname(os.path.abspath(path))
        return lambda: runpy.run_path(path, run_name="__main__")
    sys.executable = request["python"]  # jobs come back here
    if request["kind"] == "snakemake":
        from snakemake.cli import main as snakemake

        return snakemake
    from segstudy.cli.app import main as segstudy

    return segstudy


def _exit_code(work: Callable[[], object]) -> int:
    """Return the code that the interpreter would end with."""
    try:
        work()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        return 130
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(*sys.argv[1:])
