"""How busy a training keeps its GPU: asked of the driver while it runs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import fmean
from threading import Event, Thread

import torch

SECONDS = 5.0  # between two questions
FEWEST = 3  # answers, from which on their mean is told


@contextmanager
def watched(
    device: torch.device, ask: Callable[[torch.device], float | None] | None = None, seconds: float = SECONDS
) -> Iterator[list[float]]:
    """Collect the share of time (0 to 1) in which the GPU was at work, every `seconds`; nothing on the CPU.

    Where other processes are on the GPU too, the answer tells nothing of this one: it is left out. A driver that does
    not answer is asked no more.
    """
    samples: list[float] = []
    if device.type != "cuda":
        yield samples
        return
    done = Event()

    def watch() -> None:
        while not done.wait(seconds):
            try:
                answer = (ask or alone_at_work)(device)
            except (OSError, subprocess.SubprocessError, ValueError, IndexError):
                return
            if answer is not None:
                samples.append(answer)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def utilisation(samples: list[float]) -> dict[str, float]:
    """Return the entry of run.json: `gpu_utilisation`, the mean; nothing where too little is known."""
    return {"gpu_utilisation": round(fmean(samples), 3)} if len(samples) >= FEWEST else {}


def alone_at_work(device: torch.device) -> float | None:
    """Return the share of the last moment in which the GPU was at work; None where several processes are on it.

    Raises:
        OSError, SubprocessError, ValueError, IndexError: nvidia-smi does not tell.
    """
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    gpu = f"--id=GPU-{uuid.removeprefix('GPU-')}"

    def answer(query: str) -> list[str]:
        command = ["nvidia-smi", gpu, query, "--format=csv,noheader,nounits"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.split()

    if len(answer("--query-compute-apps=pid")) > 1:
        return None
    return float(answer("--query-gpu=utilization.gpu")[0]) / 100
