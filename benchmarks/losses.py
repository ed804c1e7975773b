"""Seconds of every loss, forward and backward, on one thread: `python benchmarks/losses.py`.

Eight images of 256x256 with round objects; the ratio to `bce` is what to read, since times differ between machines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import interpolate

from segstudy.config.losses import LOSSES
from segstudy.losses.build import ClassStatistics, build_loss

SIZE, REPEATS = (256, 256), 7


def seconds(call: Callable[[], None]) -> float:
    """Return the shortest processor time of several calls: whatever else runs on the machine can only lengthen one."""
    call()
    found = []
    for _ in range(REPEATS):
        started = time.process_time()
        call()
        found.append(time.process_time() - started)
    return min(found)


def main() -> None:
    """Print one line a loss with default options, for one foreground class or, where it takes no fewer, several."""
    torch.set_num_threads(1)
    logging.getLogger("segstudy").setLevel(logging.ERROR)
    generator = torch.Generator().manual_seed(0)
    smooth = interpolate(torch.randn(8, 1, 32, 32, generator=generator), SIZE, mode="bilinear")[:, 0]
    roi = torch.ones_like(smooth, dtype=torch.uint8)
    table = Table(title="Forward and backward, 8 images of 256x256, one thread")
    for name in ("loss", "ms", "over bce"):
        table.add_column(name, justify="left" if name == "loss" else "right")
    reference = 0.0
    for kind in LOSSES:
        if kind == "compound":  # the sum of its terms
            continue
        classes = 4 if kind == "cross_entropy" else 2
        target = (smooth > 0.6).to(torch.uint8) * (classes - 1)
        logits = torch.randn(8, 1 if classes == 2 else classes, *SIZE, generator=generator, requires_grad=True)
        loss = build_loss({"loss": kind}, ClassStatistics((900, *[100] * (classes - 1))))

        def step(loss=loss, logits=logits, target=target) -> None:
            logits.grad = None
            loss(logits, target, roi).backward()

        taken = seconds(step)
        reference = reference or taken  # bce stands first
        table.add_row(f"{kind} (4 classes)" if classes > 2 else kind, f"{taken * 1e3:.2f}", f"{taken / reference:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
