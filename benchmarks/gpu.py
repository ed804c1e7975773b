"""Everything that needs a GPU, in at most ten minutes: `make gpu`. Prints one table; exit status 1 if a part failed.

    python benchmarks/gpu.py [--rehearse] [part ...]

Each part runs in a process of its own, the most telling first. What no time is left for is skipped, and said. Without a
GPU nothing is run but with `--rehearse`: the same parts on the CPU, to try this program.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from segstudy.config.losses import LOSSES
from segstudy.losses import build
from segstudy.losses.class_weights import ClassStatistics
from segstudy.models import registry
from segstudy.runtime.device import choose_device, configure, device_name

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 600
NETWORKS: dict[str, dict[str, Any]] = {
    "encdec": {"depth": 2, "width": 8},
    "unet": {"depth": 2, "width": 8},
    "unet2": {"depth": 2, "width": 8},
    "unet_valid": {"depth": 2, "width": 8},
    "segnet": {"depth": 2, "width": 8},
    "dilatednet": {"depth": 3, "width": 8},
    "wnet": {"depth": 2, "width": 4},
    "encoder_unet": {"encoder": "resnet18"},
}
SEVERAL = ("cross_entropy",)  # losses of several classes only
DIFFERENCE = 1e-3  # between a CPU's and a GPU's logits, whose sums are of another order
console = Console(width=150)


def weights_after(settings: dict[str, Any], device: torch.device, steps: int = 2) -> list[torch.Tensor]:
    """Return the weights after some training steps, and the logits that follow, on the CPU."""
    torch.manual_seed(0)
    network = registry.build(settings, 3, 1).to(device).train()
    draws = torch.Generator().manual_seed(1)
    x = torch.rand(4, 3, 64, 64, generator=draws).to(device)
    target = (x.mean(1) > 0.5).to(torch.uint8)
    loss = build.build_loss({"loss": "bce"}, ClassStatistics((1, 1)))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network(x), target, torch.ones_like(target)).backward()
        optimizer.step()
    with torch.no_grad():
        logits = network.eval()(x)
    return [tensor.detach().cpu() for tensor in (*network.parameters(), logits)]


def networks() -> str:
    """Every network: the same bits twice, in deterministic mode, and the CPU's logits nearly."""
    device = choose_device()
    configure(device, 1, deterministic=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    largest = 0.0
    for kind, options in NETWORKS.items():
        settings = {"network": kind, **options}
        one, two = weights_after(settings, device), weights_after(settings, device)
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True)), f"{kind}: other bits the second time"
        there = weights_after(settings, torch.device("cpu"))[-1]
        difference = float((one[-1] - there).abs().max() / there.abs().max())
        assert difference < DIFFERENCE, f"{kind}: logits differ from the CPU's by {difference:.2g} of the largest"
        largest = max(largest, difference)
    return f"{len(NETWORKS)} networks repeat their bits; logits within {largest:.1g} of the CPU's"


def losses() -> str:
    """Every loss: the same bits twice, in deterministic mode, and the CPU's value and gradient nearly."""
    device = choose_device()
    configure(device, 1, deterministic=True)
    largest, kinds = 0.0, [kind for kind in LOSSES if kind != "compound"]
    for kind in kinds:
        classes = 3 if kind in SEVERAL else 2
        loss = build.build_loss({"loss": kind}, ClassStatistics((1,) * classes))
        draws = torch.Generator().manual_seed(2)
        logits = torch.randn(2, classes if classes > 2 else 1, 32, 32, generator=draws)
        target = torch.randint(0, classes, (2, 32, 32), generator=draws).to(torch.uint8)
        answers = []
        for where in (device, device, torch.device("cpu")):
            leaf = logits.clone().to(where).requires_grad_()
            value = loss(leaf, target.to(where), torch.ones_like(target).to(where))
            value.backward()
            answers.append(torch.cat([value.detach().cpu()[None], leaf.grad.cpu().flatten()]))  # type: ignore[union-attr]
        assert torch.equal(*answers[:2]), f"{kind}: other bits the second time"
        difference = float((answers[0] - answers[2]).abs().max())
        assert difference < DIFFERENCE, f"{kind}: differs from the CPU's by {difference:.2g}"
        largest = max(largest, difference)
    return f"{len(kinds)} losses repeat their bits; values and gradients within {largest:.1g} of the CPU's"


def one_training(others: Any = None) -> tuple[float, list[torch.Tensor]]:
    """Return the seconds of a training, and its weights; it begins when all `others` (a barrier) are ready."""
    device = choose_device()
    configure(device, 1, deterministic=True)
    settings = {"network": "unet", **NETWORKS["unet"]}
    weights_after(settings, device)  # libraries are loaded
    if others:
        others.wait(timeout=120)
    started = time.perf_counter()
    weights = weights_after(settings, device, steps=100)
    return time.perf_counter() - started, weights


def sharing() -> str:
    """Two trainings at once on one GPU: the bits of one alone, and the seconds."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(2, mp_context=spawn) as pool:
        alone, weights = pool.submit(one_training).result()
        barrier = manager.Barrier(2)
        both = [future.result() for future in [pool.submit(one_training, barrier) for _ in range(2)]]
    assert all(torch.equal(a, b) for _, own in both for a, b in zip(weights, own, strict=True)), "other bits"
    seconds = max(took for took, _ in both)
    return f"two at once have the bits of one alone: {seconds:.1f} s, alone {alone:.1f} s"


def program(*arguments: str) -> str:
    """Run a program of this project and let it print; return its last line."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="")
    assert done.returncode == 0, f"exit status {done.returncode}, see above"
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "done"


def kills() -> str:
    """A training that is killed at any moment ends with the bits of an undisturbed one."""
    return program("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/training/test_kill.py", "-m", "not slow")


def speed() -> str:
    """The step against the roofs of the machine: U-Net of width 32, operations and memory traffic."""
    program("benchmarks/engine.py", "--rounds", "2", "--images", "40")
    return "see the tables above"


def memory() -> str:
    """Peak memory, predicted and measured."""
    return program("benchmarks/memory.py")


def study() -> str:
    """The demo study from nothing to its report, then prediction and export of one of its cells."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("Snakefile", "config.yaml", "rules", "workflow", "envs", "profiles", "studies"):
            (folder / part).symlink_to(ROOT / part)
        run = [sys.executable, "-m", "segstudy"]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
        cell = "results/demo/cells/ph2/unet/bce/default/seed0"
        commands = [
            ["run", "studies/demo.yaml", "--", "--profile", "profiles/local"],
            ["predict", cell, "resources/phantoms/demo/ph2", "--out", "predicted"],
            ["export", cell, "--out", "exported", "--format", "torch"],
        ]
        for command in commands:
            subprocess.run([*run, *command], cwd=folder, env=environment, check=True)
        masks = len(list((folder / "predicted").rglob("*.png")))
        assert masks and (folder / "exported/model.pt2").exists()
        return f"report written; {masks} pictures predicted; one cell exported"


PARTS: dict[str, Callable[[], str]] = {
    part.__name__: part for part in (networks, losses, sharing, kills, memory, speed, study)
}


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all without any")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:  # one part, in this process
        print(PARTS[asked.parts[0]]())
        return 0
    ready = torch.cuda.is_available() or asked.rehearse
    table = Table(title=f"On {device_name(choose_device())}, torch {torch.__version__}")
    for name in ("part", "result", "seconds", "what"):
        table.add_column(name, justify="right" if name == "seconds" else "left")
    started, failed = time.perf_counter(), False
    for name in asked.parts or PARTS:
        left = SECONDS - (time.perf_counter() - started)
        if not ready or left < 10:
            table.add_row(name, "skipped", "", "no GPU" if not ready else "no time left")
            continue
        begun = time.perf_counter()
        result, what = outcome(name, left)
        failed |= result == "FAILED"
        table.add_row(name, result, f"{time.perf_counter() - begun:.0f}", what)
    console.print(table)
    return int(failed)


def outcome(name: str, seconds: float) -> tuple[str, str]:
    """Run a part in a process of its own; return how it went, and its last line."""
    console.rule(name)
    command = [sys.executable, __file__, "--alone", name]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return "skipped", f"not done in the {seconds:.0f} s that were left"
    console.print(done.stdout, markup=False, highlight=False, end="")
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return "FAILED" if done.returncode else "ok", lines[-1].strip() if lines else ""


if __name__ == "__main__":
    sys.exit(main())
