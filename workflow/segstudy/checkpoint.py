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
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from segstudy import sums
from segstudy.errors import StudyError
from segstudy.files import atomic_path
from segstudy.memory import exhausted
from segstudy.model_files import AGAIN, check_finite, check_network, described
from segstudy.removal import remove_tree

logger = logging.getLogger("segstudy")

# A job that is asked to go: Ctrl-C, `kill`, a closed terminal, LSF's and Slurm's warnings before a time limit.
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
MAGIC = b"segstudy training state 1\n"
PLAIN = (Tensor, int, float, str, bool, type(None))


class Interrupted(StudyError):
    """The training was asked to stop, and can be continued."""


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


@contextmanager
def caught_signals() -> Iterator[Callable[[], str]]:
    """Catch the signals that ask a job to go; yield a function that returns the name of the first, or ''.

    The handlers that were there before come back at the end. A signal that is ignored (nohup) stays ignored.
    Outside the main thread, where Python allows no handlers, none is caught.
    """
    received: list[str] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number).name)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, note)
    try:
        yield lambda: received[0] if received else ""
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def save_model(path: Path, weights: nn.Module | Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write a network's weights and buffers as safetensors, atomically; same weights and `meta`, same bytes.

    `meta` holds plain values and stands as sorted JSON under the one metadata key `segstudy`.
    """
    from safetensors.torch import save

    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    tensors = {
        name: (tensor.detach().float() if tensor.is_floating_point() else tensor.detach()).cpu().contiguous()
        for name, tensor in state.items()
    }
    content = save(tensors, metadata={"segstudy": json.dumps(meta, sort_keys=True)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    sums.seal(path)


def read_model(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a model file by their names, and the metadata of `save_model`.

    Raises:
        StudyError: the file is absent, damaged, or not a segstudy model; its description lacks something, or a weight
            is not finite.
    """
    from safetensors import SafetensorError, safe_open

    try:
        sums.content(path)
        with safe_open(str(path), framework="pt") as content:
            text = (content.metadata() or {}).get("segstudy")
            weights = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError:
        raise StudyError("there is no model file", where=path, remedy="train the cell first") from None
    except (SafetensorError, OSError) as error:
        raise StudyError(f"the model file cannot be read ({error})", where=path, remedy=AGAIN) from error
    if text is None:
        raise StudyError("the file is not a model of segstudy: it does not say which network", where=path)
    meta = described(text, path)
    check_finite(weights, path)
    return weights, meta


def load_model(
    path: Path, device: torch.device | str = "cpu", *, named: str = "", trust: bool = False
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network of a model file, on `device` and in evaluation mode, and the metadata of `save_model`.

    The network takes images in 0..1 from which `meta["normalisation"]` was taken: (x - mean) / std per channel.

    Args:
        path: of the file.
        device: where the network goes.
        named: the `network:` that the study names for this cell: its own word, besides the file's.
        trust: import whatever module the file names for its network; see `model_files.check_network`.

    Raises:
        StudyError: as `read_model`; the file names a network that nobody vouches for, or was made by other code of it.
    """
    from segstudy import models

    weights, meta = read_model(path)
    check_network(meta, path, named, trust)
    try:
        network = models.build(meta["settings"]["model"], meta["in_channels"], meta["outputs"])
    except (KeyError, TypeError) as error:
        raise sums.damaged(path, f"what it says of its network lacks or garbles {error}") from None
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise StudyError(
            f"the weights do not fit the network ({str(error).splitlines()[-1].strip()})",
            where=path,
            remedy=AGAIN,
        ) from error
    return network.to(device).eval(), meta


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
