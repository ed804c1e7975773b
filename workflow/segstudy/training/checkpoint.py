"""State of an unfinished training, signals that end it, and the published model file.

A state is written beside its old self and renamed over it, so that a kill at any moment leaves a whole one. It is
loaded only if its checksum is right and if it belongs to exactly this training; tensors, numbers and text are all
it may hold, so that reading it runs no code.
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


PLAIN = (Tensor, int, float, str, bool, type(None))


class Slot:
    """The place of one training's state: `state.pt` in a folder that Snakemake does not know.

    Args:
        folder: made when the first state is saved.
        identity: plain values that say which training this is; a state with another identity is never loaded.
        interval: seconds between two saves that nothing but time asks for. Saves that take long come more rarely:
            they may cost 5 % of the time. How often a state is saved does not change the result.
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
        """Return the saved state with its tensors on the CPU, or None where there is none to use.

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
        """Delete the folder and all that is in it: the training is published."""
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
            found = json.loads(body.partition(b"\n")[0])
        except ValueError:
            return "it does not say which training it belongs to"
        differences = list(_differences(found, self.identity))
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
        for place, item in enumerate(value):
            _check_plain(item, f"{key}[{place}]")
    elif type(value) not in PLAIN:
        raise TypeError(f"{key} is a {type(value).__name__}: a training state holds plain values and tensors only")


def _payload(content: bytes) -> io.BytesIO:
    return io.BytesIO(content.split(b"\n", 3)[3])


def _differences(found: Any, wanted: Any, key: str = "") -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in sorted(found.keys() | wanted.keys()):
            yield from _differences(found.get(name), wanted.get(name), f"{key}.{name}" if key else name)
    elif found != wanted:
        yield f"{key} was {found!r}, is {wanted!r}"
