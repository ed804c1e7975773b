"""How fast a training is beside other loops, and beside what the machine could do: part `engine` of `make bench`.

    python benchmarks/engine.py [--rounds 5] [--images 80]

Everything that is compared is measured alternately, round after round, in processes that live as long as the
comparison; a figure is the median over rounds, with the lowest and the highest. It wants an idle machine.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import loops
import numpy as np
import pandas as pd
import torch
from loops import Helper
from PIL import Image, ImageFilter
from rich.console import Console
from rich.table import Table
from torch import nn

from segstudy.config.datasets import Size
from segstudy.core.files import read_csv, write_csv
from segstudy.data.images.label_map import binary
from segstudy.data.store import build_store
from segstudy.models import cost
from segstudy.runtime.device import choose_device, choose_precision, device_name

WIDTH, HEIGHT = 768, 560
PASSES = 3  # forward, and backward twice: gradients of inputs and of weights
console = Console()


def draw_files(folder: Path, images: int, size: tuple[int, int]) -> None:
    """Draw JPEGs of (width, height) with a dark blob on skin, their PNG masks, and index.csv."""
    random, (width, height) = np.random.default_rng(0), size
    y, x = np.mgrid[:height, :width]
    for row in range(images):
        centre = random.uniform(0.3, 0.7, 2) * (height, width)
        radius = random.uniform(0.15, 0.3, 2) * height
        inside = ((y - centre[0]) / radius[0]) ** 2 + ((x - centre[1]) / radius[1]) ** 2 < 1
        coarse = Image.fromarray(random.integers(0, 60, (height // 8, width // 8, 3), dtype=np.uint8))
        skin = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)) + np.array([170, 120, 100])
        pixels = (skin - 70 * inside[..., None] + random.normal(0, 6, skin.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1)).save(folder / f"{row:03d}.jpg", quality=90)
        Image.fromarray(inside.astype(np.uint8) * 255).save(folder / f"{row:03d}.png")
    names = [f"{row:03d}" for row in range(images)]
    files = {"image": [f"{n}.jpg" for n in names], "mask": [f"{n}.png" for n in names], "roi": "", "second_mask": ""}
    write_csv(folder / "index.csv", pd.DataFrame({"sample": names, **files, "width": width, "height": height}))


def store_of(folder: Path, side: int) -> Path:
    """Build the store of drawn files at `side` x `side`; return its folder."""
    size = Size(height=side, width=side)
    store = folder / "store"
    build_store(read_csv(folder / "index.csv"), folder, store, size, "rgb", "ph2", binary("lesion"), threads=2)
    return store


def bf16() -> bool:
    """Return whether this machine trains in bf16."""
    return choose_precision("auto", choose_device()) == torch.bfloat16


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Return 'median (lowest to highest)'."""
    low, middle, high = (format(f(values), form) for f in (min, statistics.median, max))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def alternate(helpers: dict[Any, Helper], rounds: int, method: str = "train") -> dict[Any, list[Any]]:
    """Return what each answers in every round, after one round that warms all up; the first to go changes."""
    answers: dict[Any, list[Any]] = {key: [] for key in helpers}
    order = list(helpers)
    for number in range(rounds + 1):
        for key in order[number % len(order) :] + order[: number % len(order)]:
            with console.status(f"{method}, round {number} of {rounds}: {key}"):
                answer = helpers[key].ask(method)
            if number:
                answers[key].append(answer)
    return answers


def compare_loops(rounds: int, images: int, threads: int) -> None:
    """Compare epochs of this engine with the usual loop and with MONAI's."""
    same = "bf16 + channels-last" if bf16() else "channels-last"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with console.status("drawing files ..."):
            draw_files(folder, images, (WIDTH, HEIGHT))
            store = store_of(folder, loops.SIDE)
        width = {"width": 16}
        helpers = {"engine": Helper(loops.Ours, store=store, threads=threads, **width)}
        for arithmetic in ("fp32", same):
            for loop in (loops.usual, loops.monai):
                key = f"{loop.__name__}, {arithmetic}"
                helpers[key] = Helper(loop, folder=folder, fast=arithmetic != "fp32", **width)
        seconds = alternate(helpers, rounds)
        loading = alternate(helpers, min(rounds, 3), "load")
        for helper in helpers.values():
            helper.close()
    aims = dict(zip(helpers, ("", "4", "3.5", "1.25", "1.25"), strict=True))
    files = f"{images} JPEGs of {WIDTH}x{HEIGHT} at {loops.SIDE}x{loops.SIDE}"
    table = Table(title=f"An epoch of {files}, U-Net of width 16, {rounds} rounds")
    for column in ("loop", "images/s", "epoch / engine's", "aim", "loader alone"):
        table.add_column(column, justify="left" if column == "loop" else "right")
    for key, values in seconds.items():
        ratios = [theirs / ours for theirs, ours in zip(values, seconds["engine"], strict=True)]
        rates = spread([images / value for value in values], ".1f")
        loader = f"{images / statistics.median(loading[key]):.0f}"
        table.add_row(key, rates, "" if key == "engine" else spread(ratios), aims[key], loader)
    console.print(table)


def measure_steps(rounds: int, threads: int) -> None:
    """Compare the step with what convolutions and copies reach on this machine."""
    cuda = torch.cuda.is_available()
    cases = [(32, 256, 32, 0.5)] if cuda else [(32, 128, 16, 0.75), (16, 256, 8, 0.6)]
    helpers = {
        (width, side, batch, aim): Helper(loops.Step, width=width, side=side, batch=batch, threads=threads)
        for width, side, batch, aim in cases
    }
    answers = alternate(helpers, rounds)
    table = Table(title=f"The step: forward, loss, backward, optimiser; {rounds} rounds")
    columns = ("U-Net", "ms", "GFLOP/s", "peak", "share of peak", "least ms", "share of least")
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for (width, side, batch, aim), measured in answers.items():
        net = loops.network(width)
        work = PASSES * cost.count_flops(net, 3, side, side) * batch
        moved = traffic(net, batch, side) * (2 if bf16() else 4)
        least = [(work / m.peak, moved / m.bandwidth) for m in measured]
        step, peak, _ = (statistics.median(column) for column in zip(*measured, strict=True))
        of_peak = spread([work / m.step / m.peak for m in measured])
        of_least = spread([max(pair) / m.step for pair, m in zip(least, measured, strict=True)])
        table.add_row(
            f"width {width}, {side}x{side}, batch {batch}",
            *(f"{value:.0f}" for value in (step * 1e3, work / step / 1e9, peak / 1e9)),
            of_peak if cuda else f"{of_peak}, aim {aim:g}",
            " / ".join(f"{statistics.median(part) * 1e3:.4g}" for part in zip(*least, strict=True)),
            f"{of_least}, aim {aim:g}" if cuda else of_least,
        )
    for helper in helpers.values():
        helper.close()
    console.print(table)
    console.print(
        "Peak: a convolution of 64 to 64 channels. Least: by arithmetic at that peak / by memory, each layer reading "
        "and writing its maps once in the forward pass and twice in the backward pass, at the speed of a copy."
    )


def traffic(network: nn.Module, batch: int, side: int) -> int:
    """Return the values that a step moves if each layer reads its inputs and writes its output once a pass."""
    counted: list[int] = []

    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        counted.append(sum(tensor.numel() for tensor in (*inputs, output)))

    copied = copy.deepcopy(network).to("meta").train()
    for layer in copied.modules():
        if not list(layer.children()) and not isinstance(layer, nn.Identity):
            layer.register_forward_hook(note)
    copied(torch.zeros(batch, 3, side, side, device="meta"))
    return PASSES * sum(counted)


def side_by_side(rounds: int) -> None:
    """Compare two one-thread trainings of a small network at once with one after the other on two threads."""
    with tempfile.TemporaryDirectory() as name:
        folder, images, side = Path(name), 400, 64
        with console.status("drawing files ..."):
            draw_files(folder, images, (96, 80))
            store = store_of(folder, side)
        one, other, both = (Helper(loops.Ours, store=store, width=8, threads=n) for n in (1, 1, 2))
        ratios, rates = [], []
        for number in range(rounds + 1):
            with console.status(f"small networks, round {number} of {rounds}"):
                started = time.perf_counter()
                for helper in (one, other):
                    helper.begin("train")
                for helper in (one, other):
                    helper.result()
                together = time.perf_counter() - started
                started = time.perf_counter()
                for _ in range(2):
                    both.ask("train")
                serial = time.perf_counter() - started
            if number:
                ratios.append(serial / together)
                rates.append(2 * images / together)
        for helper in (one, other, both):
            helper.close()
    console.print(
        f"Width 8, {side}x{side}, batch {loops.BATCH}: two one-thread trainings at once are {spread(ratios)} times as "
        f"fast as one after the other on two threads ({spread(rates, '.0f')} images/s in all)"
    )


def run(rounds: int = 5, images: int = 80) -> None:
    """Print the three comparisons."""
    # What the Makefile sets for the engine's own sake is not what users of the other loops have.
    for setting in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        os.environ.pop(setting, None)
    threads = len(os.sched_getaffinity(0))
    device = choose_device()
    console.print(f"{device_name(device)}, {threads} threads, torch {torch.__version__}")
    measure_steps(rounds, threads)
    if device.type == "cpu" and threads > 1:
        side_by_side(rounds)
    compare_loops(rounds, images, threads)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=80)
    run(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
