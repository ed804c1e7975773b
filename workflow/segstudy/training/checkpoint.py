"""The saved state of an unfinished training.

The file `state.pt` is a line of MAGIC, a line with the SHA-256 of the rest, a line of JSON with the identity of the
training (settings, seed, hashes of data and code), and the state as `torch.save` writes it. A new state is written to a
temporary file and renamed over the old one, so that a kill at any moment leaves a complete file. A state is loaded only
if its checksum is right and its identity is that of this training; a state of an older segstudy has another code hash
and is set aside. It holds tensors, numbers and text alone, so that reading it runs no code.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segstudy.core.files import atomic_path
from segstudy.core.removal import remove_tree
from segstudy.runtime.memory import exhausted

logger = logging.getLogger("segstudy")
MAGIC = b"segstudy training state 1\n"
PLAIN_TYPES = (Tensor, int, float, str, bool, type(None))


class ResumeCheckpoint:
    """Saves and loads the state of one training: `state.pt` in a folder that Snakemake does not know.

    Args:
        folder: made when the first state is saved.
        identity: plain values that say which training this is; a state with another identity is never loaded.
        interval: seconds between two regular saves. Slow saves come more rarely: they may take 5 % of the time. How
            often a state is saved does not change the result.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], interval: float = 10.0) -> None:
        self.folder, self.path = Path(folder), Path(folder) / "state.pt"
        self.identity: dict[str, Any] = json.loads(json.dumps(identity))
        self.interval, self._saved, self._cost = interval, time.monotonic(), 0.0

    def due(self) -> bool:
        """Return whether it is time for the next save."""
        return time.monotonic() - self._saved >= max(self.interval, 20 * self._cost)

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the saved state; `state` holds tensors, numbers, text, and lists and mappings of them.

        Raises:
            TypeError: it holds anything else, which `load` would refuse.
        """
        started = time.monotonic()
        _check_plain(state)
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        body = json.dumps(self.identity, sort_keys=True).encode() + b"\n" + buffer.getvalue()
        with atomic_path(self.path) as temporary, temporary.open("wb") as stream:
            stream.write(MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n")
            stream.write(body)
        self._saved = time.monotonic()
        self._cost = self._saved - started

    def load(self, problem_of: Callable[[dict[str, Any]], str] = lambda _: "") -> dict[str, Any] | None:
        """Return the saved state with its tensors on the CPU; None if there is none, or none that can be used.

        A damaged or foreign state is renamed to `state.pt.rejected-<n>`, and the log says why.

        Args:
            problem_of: state -> why it cannot be continued from, or ''.
        """
        sweep(self.folder)
        if not self.path.exists():
            return None
        content = self.path.read_bytes()
        problem, state = self._problem(content), None
        if not problem:
            try:
                state = torch.load(_payload(content), map_location="cpu", weights_only=True)
            except Exception as error:  # whatever a damaged file makes torch say
                if exhausted(error):
                    raise
                problem = f"it cannot be read ({str(error).partition('.')[0]})"
            else:
                problem = problem_of(state) if isinstance(state, dict) else "it has no entries"
        if problem:
            aside = self._aside()
            os.replace(self.path, aside)
            logger.warning("the saved state is not used: %s; set aside as %s", problem, aside)
        return None if problem else state

    def remove(self) -> None:
        """Delete the folder: the training is published."""
        with suppress(OSError):
            remove_tree(self.folder)

    def _problem(self, content: bytes) -> str:
        head, line, body = content.partition(MAGIC)
        if head or not line:
            return "it is not a training state of this version"
        checksum, _, body = body.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            return "its checksum is wrong: the file is damaged"
        try:
            identity = json.loads(body.partition(b"\n")[0])
        except ValueError:
            return "it does not say which training it belongs to"
        differences = list(_differences(identity, self.identity))
        return f"it belongs to another training: {'; '.join(differences[:5])}" if differences else ""

    def _aside(self) -> Path:
        return next(p for n in range(1, 10**6) if not (p := self.path.with_name(f"state.pt.rejected-{n}")).exists())


def sweep(folder: Path) -> None:
    """Delete the temporary files in `folder` that a killed job left behind."""
    for leftover in Path(folder).glob(".*.partial*"):
        leftover.unlink(missing_ok=True)


def _check_plain(value: Any, key: str = "state") -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check_plain(item, f"{key}[{name!r}]")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_plain(item, f"{key}[{number}]")
    elif type(value) not in PLAIN_TYPES:
        raise TypeError(f"{key} is a {type(value).__name__}: a training state holds plain values and tensors only")


def _payload(content: bytes) -> io.BytesIO:
    return io.BytesIO(content.split(b"\n", 3)[3])


def _differences(saved: Any, current: Any, key: str = "") -> Iterator[str]:
    if isinstance(saved, dict) and isinstance(current, dict):
        for name in sorted(saved.keys() | current.keys()):
            yield from _differences(saved.get(name), current.get(name), f"{key}.{name}" if key else name)
    elif saved != current:
        yield f"{key} was {saved!r}, is {current!r}"
