"""Memory of a training step, predicted and measured: every network at three sizes, in float32 and bfloat16.

python benchmarks/memory.py [network ...]
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from loops import Helper
from rich.console import Console
from rich.table import Table

from segstudy.config.recipes import Recipe
from segstudy.core.provenance import host_peak
from segstudy.losses import build
from segstudy.losses.class_weights import ClassStatistics
from segstudy.models import registry
from segstudy.models.step_memory import step_bytes
from segstudy.runtime import memory
from segstudy.runtime.device import choose_device, configure
from segstudy.training.optim import build_optimizer
from segstudy.training.step import make_forward, training_step

NETWORKS: dict[str, dict[str, Any]] = {
    "encdec": {"depth": 3, "width": 16},
    "unet": {"depth": 4, "width": 16},
    "unet2": {"depth": 4, "width": 16},
    "unet_valid": {"depth": 3, "width": 16},
    "segnet": {"depth": 4, "width": 16},
    "dilatednet": {"depth": 4, "width": 32},
    "wnet": {"depth": 3, "width": 8},
    "encoder_unet": {"encoder": "resnet34"},
}
SIDES, BATCH, STEPS = (64, 128, 256), 8, 3
console = Console()


class Step:
    """Three training steps in a process of their own."""

    def __init__(self, settings: dict[str, Any], side: int, bf16: bool) -> None:
        memory.keep_freed_memory()
        self.device = choose_device()
        configure(self.device, 1, deterministic=True)
        self.side, self.type = side, torch.bfloat16 if bf16 else torch.float32
        with torch.device("meta"):  # its modules are imported; no memory is taken
            registry.build(settings, 3, 1)
        self.before = float(host_peak())
        self.network = registry.build(settings, 3, 1).to(self.device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]

    def start(self) -> float:
        """Return the bytes of the process before it built the network."""
        return self.before

    def peak(self) -> float:
        """Take the steps; return the largest bytes of the process, of a GPU's tensors where there is one."""
        recipe = Recipe.model_validate({"epochs": 1, "batch_size": BATCH})
        optimizer = build_optimizer(self.network, recipe, self.device)
        scaling = {"mean": [0.5] * 3, "std": [0.2] * 3}
        forward = make_forward(getattr(self.network, "all_logits", self.network), scaling, self.device, self.type)
        loss = build.build_loss({"loss": "bce"}, ClassStatistics((1, 1)))
        for step in range(STEPS):
            shape = BATCH, self.side, self.side
            x = torch.rand(*shape, 3, device=self.device).permute(0, 3, 1, 2)
            target = torch.zeros(shape, dtype=torch.uint8, device=self.device)
            batch = x, target, torch.ones_like(target)
            training_step(self.network, forward, optimizer, [(loss, batch)], recipe, 1, step)
            del x, target, batch
        return float(torch.cuda.max_memory_allocated()) if self.device.type == "cuda" else float(host_peak())


def run(networks: list[str]) -> None:
    """Print each ratio as soon as it is known, then the table; the last line says how far predictions are off."""
    cuda = torch.cuda.is_available()
    table = Table(title=f"Peak memory in MB of a {'GPU' if cuda else 'process'}; batches of {BATCH}")
    for name in ("network", "side", "arithmetic", "tensors", "predicted", "measured", "predicted / measured"):
        table.add_column(name, justify="left" if name == "network" else "right")
    ratios = []
    for network in networks:
        for side in SIDES:
            for bf16 in (False, True):
                settings = {"network": network, **NETWORKS[network]}
                with console.status(f"{network}, {side}x{side}, {'bf16' if bf16 else 'fp32'}"):
                    helper = Helper(Step, settings=settings, side=side, bf16=bf16)
                    start, measured = helper.ask("start"), helper.ask("peak")
                    helper.close()
                    step = step_bytes(settings, 3, 1, BATCH, (side, side), bf16)
                predicted = step.tensors if cuda else step.process(start)
                ratios.append(predicted / measured)
                print(f"{network} {side} {'bf16' if bf16 else 'fp32'}: {ratios[-1]:.2f}", flush=True)
                values = (f"{value / 1e6:.0f}" for value in (step.tensors, predicted, measured))
                table.add_row(network, str(side), "bf16" if bf16 else "fp32", *values, f"{ratios[-1]:.2f}")
    console.print(table)
    console.print(f"predicted / measured: {min(ratios):.2f} to {max(ratios):.2f}, aim 0.85 to 1.15")


if __name__ == "__main__":
    run(sys.argv[1:] or list(NETWORKS))
