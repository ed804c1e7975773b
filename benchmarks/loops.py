"""The training loops that `engine.py` compares: this project's, the usual one, and MONAI's.

All train the same network on the same files, as their users write them. Each lives in a process of its own, so that
none inherits another's threads, allocator or flags.
"""

from __future__ import annotations

import math
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from segstudy.config.recipes import Recipe
from segstudy.core import rng
from segstudy.core.files import read_csv
from segstudy.data.store import open_store
from segstudy.losses import build
from segstudy.models import registry
from segstudy.runtime import memory
from segstudy.runtime.device import choose_device, choose_precision, configure, has_bf16, measure_peak
from segstudy.training import augment_geometry, device_data, sampler
from segstudy.training.inputs import TrainingInputs
from segstudy.training.optim import build_optimizer
from segstudy.training.step import training_step
from segstudy.training.trainer import train

SIDE, BATCH, ROTATION, BRIGHTNESS = 256, 8, 30.0, 0.2
AUGMENTATION = {
    "flip_horizontal": 0.5,
    "flip_vertical": 0.5,
    "rotation": ROTATION,
    "brightness": (1 - BRIGHTNESS, 1 + BRIGHTNESS),
}


def network(width: int, depth: int = 4) -> nn.Module:
    """Return the U-Net that all loops train."""
    torch.manual_seed(0)
    return registry.build({"network": "unet", "width": width, "depth": depth}, 3, 1)


def waited(device: torch.device) -> float:
    """Return the time, when the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class Ours:
    """This project's engine: `training.train` on a store."""

    def __init__(self, store: Path, width: int, threads: int) -> None:
        memory.keep_freed_memory()
        self.device = choose_device()
        configure(self.device, threads, deterministic=True)
        self.store = open_store(store)
        self.rows = range(len(self.store.images))
        statistics = build.class_statistics(self.store.masks, self.store.rois, self.rows, 2)
        self.loss = build.build_loss({"loss": "bce"}, statistics)
        self.network, self.epochs = network(width), 0
        self.recipe = Recipe.model_validate({"epochs": 1, "batch_size": BATCH, "augmentation": AUGMENTATION})

    def train(self) -> float:
        """Train one epoch; return the seconds in its steps (what belongs to a whole training is left out)."""
        self.epochs += 1
        inputs = TrainingInputs(self.store[:3], self.rows, self.rows[:1])
        done = train(self.network, self.loss, inputs, self.recipe, self.epochs, self.device)
        return done.seconds["steps"]

    def load(self) -> float:
        """Make the batches of one epoch and do nothing with them; return the seconds."""
        data = device_data.DeviceData(*self.store[:3], self.device)
        canvas, options = (SIDE, SIDE), self.recipe.augmentation
        started = time.perf_counter()
        for step, rows in enumerate(sampler.epoch_batches(self.rows, BATCH, 1, 0, 1)):
            draws = rng.generator(0, "augment", 1, step)
            plan = augment_geometry.draw_plan(len(rows), canvas, options, draws)
            augment_geometry.apply_plan(plan, *data.fetch(rows), options, draws)
        return waited(self.device) - started


class Peer:
    """A DataLoader, Adam and torch's own loss. `fast`: in bf16, where the machine has it, and channels-last."""

    def __init__(self, loader: Iterable[Any], fast: bool, width: int) -> None:
        self.device, self.loader = choose_device(), loader
        self.order = torch.channels_last if fast else torch.contiguous_format
        self.autocast = fast and has_bf16(self.device)
        self.network = network(width).to(self.device).to(memory_format=self.order)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.001)
        self.loss = nn.BCEWithLogitsLoss()

    def batches(self) -> Iterable[tuple[Tensor, Tensor]]:
        """Yield images (B, C, H, W) and masks (B, 1, H, W)."""
        for batch in self.loader:
            pair = (batch["image"], batch["mask"]) if isinstance(batch, dict) else batch
            x, y = (tensor.to(self.device) for tensor in pair)
            yield x.contiguous(memory_format=self.order), y

    def train(self) -> float:
        """Train one epoch; return its seconds, from the start of the workers to the last step."""
        self.network.train()
        started = time.perf_counter()
        for x, y in self.batches():
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
                logits = self.network(x)
            loss = self.loss(logits.float(), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return waited(self.device) - started

    def load(self) -> float:
        """Make the batches of one epoch and do nothing with them; return the seconds."""
        started = time.perf_counter()
        for _ in self.batches():
            pass
        return waited(self.device) - started


class Files(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """The usual data set: decodes, resizes and augments an image when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.samples = folder, list(read_csv(folder / "index.csv")["sample"])

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        from PIL import Image, ImageEnhance, ImageOps

        image = Image.open(self.folder / f"{self.samples[row]}.jpg").convert("RGB").resize((SIDE, SIDE))
        mask = Image.open(self.folder / f"{self.samples[row]}.png").resize((SIDE, SIDE), Image.Resampling.NEAREST)
        for turned in (ImageOps.mirror, ImageOps.flip):
            if random.random() < 0.5:
                image, mask = turned(image), turned(mask)
        angle = random.uniform(-ROTATION, ROTATION)
        image, mask = image.rotate(angle, Image.Resampling.BILINEAR), mask.rotate(angle)
        image = ImageEnhance.Brightness(image).enhance(random.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS))
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div_(255)
        y = torch.from_numpy(np.array(mask))[None].float().div_(255)
        return x.sub_(0.5).div_(0.25), y


def usual(folder: Path, fast: bool, width: int) -> Peer:
    """Return the usual loop: PIL in `__getitem__`, a DataLoader with two workers."""
    loader = torch.utils.data.DataLoader(Files(folder), batch_size=BATCH, shuffle=True, num_workers=2)
    return Peer(loader, fast, width)


def monai(folder: Path, fast: bool, width: int) -> Peer:
    """Return MONAI's loop: what is not random cached in memory, the rest as dictionary transforms in two workers."""
    from monai import transforms as t
    from monai.data import CacheDataset, DataLoader

    both = ["image", "mask"]
    transform = t.Compose(
        [
            t.LoadImaged(both, reader="PILReader"),
            t.EnsureChannelFirstd(both),
            t.ScaleIntensityRanged(both, 0, 255, 0, 1),
            t.NormalizeIntensityd("image", subtrahend=0.5, divisor=0.25),
            t.Resized(both, (SIDE, SIDE), mode=("bilinear", "nearest")),
            t.RandFlipd(both, 0.5, spatial_axis=0),
            t.RandFlipd(both, 0.5, spatial_axis=1),
            t.RandRotated(both, math.radians(ROTATION), 1.0, mode=("bilinear", "nearest"), padding_mode="zeros"),
            t.RandScaleIntensityd("image", BRIGHTNESS, 1.0),
        ]
    )
    samples = read_csv(folder / "index.csv")["sample"]
    files = [{"image": folder / f"{name}.jpg", "mask": folder / f"{name}.png"} for name in samples]
    cached = CacheDataset(files, transform, num_workers=2, progress=False)
    return Peer(DataLoader(cached, batch_size=BATCH, shuffle=True, num_workers=2), fast, width)


class Measured(NamedTuple):
    """Of one round: seconds of a step, operations/s of a convolution, bytes/s of a copy."""

    step: float
    peak: float
    bandwidth: float


class Step:
    """The step alone: forward, loss, backward, optimiser, on one batch that is there already."""

    def __init__(self, width: int, side: int, batch: int, threads: int) -> None:
        memory.keep_freed_memory()
        self.device = choose_device()
        configure(self.device, threads, deterministic=True)
        self.arithmetic = choose_precision("auto", self.device)
        self.network = network(width).to(self.device).train()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe = Recipe()
        self.optimizer = build_optimizer(self.network, self.recipe, self.device)
        self.loss = build.build_loss({"loss": "bce"}, build.ClassStatistics((1, 1)))
        draw = torch.Generator().manual_seed(0)
        x = torch.rand(batch, 3, side, side, generator=draw).to(self.device)
        y = (torch.rand(batch, side, side, generator=draw) > 0.5).to(torch.uint8).to(self.device)
        self.batch = (x.contiguous(memory_format=torch.channels_last), y, torch.ones_like(y))
        values = 2**26 if self.device.type == "cpu" else 2**28
        self.source = torch.rand(values, device=self.device)
        self.target = torch.empty_like(self.source)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of images, as a training computes them."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.arithmetic == torch.bfloat16):
            logits: Tensor = self.network(x)
        return logits

    def train(self) -> Measured:
        """Return the fastest of three pieces: what disturbs a machine only makes it slower."""
        return Measured(
            step=self.fastest(lambda: training_step(*self.parts, self.recipe, 1, 0)),
            peak=measure_peak(self.device, self.arithmetic),
            bandwidth=2 * self.source.nbytes / self.fastest(lambda: self.target.copy_(self.source)),
        )

    @property
    def parts(self) -> tuple[Any, ...]:
        """What `training_step` needs of a training."""
        return self.network, self.forward, self.optimizer, [(self.loss, self.batch)]

    def fastest(self, work: Callable[[], object]) -> float:
        """Return the seconds of one call, in the fastest of three pieces of 0.3 s or more."""
        work()
        started = waited(self.device)
        work()
        times = max(1, round(0.3 / (waited(self.device) - started)))
        pieces = []
        for _ in range(3):
            started = waited(self.device)
            for _ in range(times):
                work()
            pieces.append((waited(self.device) - started) / times)
        return min(pieces)


class Helper:
    """A loop in a process of its own: `ask` for a method by its name, or `begin` it and take the `result` later."""

    def __init__(self, loop: Callable[..., Any], **options: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, loop, options))
        self.process.start()
        theirs.close()
        self.result()

    def begin(self, method: str) -> None:
        """Let the process call a method."""
        self.connection.send(method)

    def result(self) -> Any:
        """Wait for what was begun."""
        try:
            return self.connection.recv()
        except EOFError:
            sys.exit("a benchmark process has failed; its message stands above")

    def ask(self, method: str) -> Any:
        """Call a method there and wait."""
        self.begin(method)
        return self.result()

    def close(self) -> None:
        """End the process."""
        self.connection.send("")
        self.process.join()


def _serve(connection: Any, loop: Callable[..., Any], options: dict[str, Any]) -> None:
    # A spawned process would spawn the workers of a DataLoader too, which takes seconds each; users have forked ones.
    multiprocessing.set_start_method("fork", force=True)
    built = loop(**options)
    connection.send("ready")
    while method := connection.recv():
        connection.send(getattr(built, method)())
