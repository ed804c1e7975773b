"""Full-image prediction by overlapping tiles, beside MONAI's sliding-window inference: part `tiles` of `make bench`.

    python benchmarks/tiles.py [--rounds 5] [--width 16]

Both blend the probabilities of the same network on the same image, at an overlap of a half, with as many tiles in a
pass, on one thread. They are measured alternately, each in a process of its own, in processor seconds (on a GPU in
seconds), so that a busy machine disturbs little. MONAI's runs as its users run it, and once more in a process that
keeps freed memory, as predictions here do. The peak memory is that of a process that predicts one image of 3504x2336.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np
import torch
from engine import alternate, spread
from loops import Helper, network, waited
from rich.console import Console
from rich.table import Table
from torch import Tensor

from segstudy.core.provenance import host_peak
from segstudy.inference.predict import PIXELS_PER_PASS, predict_canvas
from segstudy.inference.sliding_window import starts
from segstudy.runtime import device, memory

SIZE, LARGE, TILES, OVERLAP = (512, 768), (2336, 3504), (128, 512), 0.5
SCALING = {"mean": [0.5] * 3, "std": [0.25] * 3}
console = Console()


class Prediction:
    """One image, a network, and who predicts: `ours`, or MONAI."""

    def __init__(
        self, ours: bool, keep: bool, tile: int, width: int, size: tuple[int, int] = SIZE, overlap: float = OVERLAP
    ) -> None:
        if keep:
            memory.keep_freed_memory()
        self.device = device.choose_device()
        device.configure(self.device, 1, deterministic=True)
        self.ours, self.tile, self.overlap = ours, (tile, tile), overlap
        self.network = network(width).to(self.device).eval()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.image = np.random.default_rng(0).integers(0, 256, (1, *size, 3), dtype=np.uint8)

    def train(self) -> float:
        """Predict the image once; return the processor seconds (on a GPU, the seconds)."""
        clock = time.process_time if self.device.type == "cpu" else time.perf_counter
        started = clock()
        _ = self.tiled() if self.ours else self.monai()
        waited(self.device)
        return clock() - started

    def tiled(self) -> np.ndarray:
        """Return the probabilities (K, H, W) as a prediction of this project makes them."""
        pictures = predict_canvas(
            self.network, self.image, [0], SCALING, self.device, tile=self.tile, overlap=self.overlap
        )
        return next(pictures)

    def monai(self) -> np.ndarray:
        """Return them from MONAI's sliding-window inferer, the image scaled in the same way."""
        from monai.inferers import SlidingWindowInferer

        def answer(x: Tensor) -> Tensor:
            logits: Tensor = self.network(x)
            return logits.sigmoid()

        together = max(1, PIXELS_PER_PASS // self.tile[0] ** 2)
        inferer = SlidingWindowInferer(self.tile, together, self.overlap, mode="gaussian")
        with torch.inference_mode():
            x = torch.from_numpy(self.image).to(self.device).permute(0, 3, 1, 2).float().div_(255).sub_(0.5).div_(0.25)
            found: np.ndarray = inferer(x, answer)[0].cpu().numpy()
        return found

    def peak(self) -> float:
        """Predict once; return the largest main memory of this process so far, in MB."""
        self.train()
        return host_peak() / 2**20


WHO = {
    "this project": {"ours": True, "keep": True},
    "MONAI": {"ours": False, "keep": False},
    "MONAI, freed memory kept": {"ours": False, "keep": True},
}


def speed(rounds: int, width: int) -> None:
    """Print tiles/s of each, and how much longer MONAI takes."""
    table = Table(
        title=f"{SIZE[1]}x{SIZE[0]}, overlap {OVERLAP:.0%}, U-Net of width {width}, {rounds} rounds, one thread"
    )
    for column in ("tile", "who", "tiles/s", "time / this project's"):
        table.add_column(column, justify="left" if column == "who" else "right")
    for tile in TILES:
        number = len(starts(SIZE[0], tile, OVERLAP)) * len(starts(SIZE[1], tile, OVERLAP))
        helpers = {who: Helper(Prediction, **options, tile=tile, width=width) for who, options in WHO.items()}
        seconds = alternate(helpers, rounds)
        for helper in helpers.values():
            helper.close()
        for who, values in seconds.items():
            ratios = [theirs / ours for theirs, ours in zip(values, seconds["this project"], strict=True)]
            rate = number / statistics.median(values)
            table.add_row(str(tile), who, f"{rate:.1f}", "" if who == "this project" else spread(ratios))
    console.print(table)


def peaks(width: int) -> None:
    """Print the peak memory of one large image. Without overlap: what is held at once does not depend on it."""
    table = Table(title=f"Peak memory of one image of {LARGE[1]}x{LARGE[0]}, U-Net of width {width}")
    for column in ("tile", "who", "MB"):
        table.add_column(column, justify="left" if column == "who" else "right")
    for tile in TILES:
        for who in ("this project", "MONAI"):
            with console.status(f"{who}, tile {tile}"):
                helper = Helper(Prediction, **WHO[who], tile=tile, width=width, size=LARGE, overlap=0.0)
                table.add_row(str(tile), who, f"{helper.ask('peak'):.0f}")
                helper.close()
    console.print(table)


def run(rounds: int = 5, width: int = 16) -> None:
    """Print both."""
    for setting in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        os.environ.pop(setting, None)  # what the Makefile sets is not what users of MONAI have
    speed(rounds, width)
    peaks(width)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=16)
    run(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
