"""Device and precision: chosen once, before the first tensor of a job."""

from __future__ import annotations

import logging
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

logger = logging.getLogger("segstudy")

# Floating-point operations of a whole training from which on the peak is measured: ten seconds of one fast core. For
# less, the measurement would be seen in the run time, and start and validation are what the time goes into anyway.
WORTH_MEASURING = 1e12


def choose_device() -> torch.device:
    """Return the first CUDA device that the job may see (CUDA_VISIBLE_DEVICES), else the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def choose_precision(option: str, device: torch.device) -> torch.dtype:
    """Return the arithmetic of training: bfloat16 autocast or plain float32.

    Args:
        option: `auto` (bf16 where the hardware computes it, else fp32), `fp32` or `bf16`.

    Weights, optimiser, loss and statistics stay float32 in either case. `bf16` on hardware that only emulates it
    is honoured, with a warning: it is slow, and the numbers are the ones asked for.
    """
    if option == "fp32":
        return torch.float32
    if option not in ("auto", "bf16"):
        raise ValueError(f"precision is auto, fp32 or bf16, not {option!r}")
    native = has_bf16(device)
    if option == "bf16" and not native:
        logger.warning("precision bf16 is asked for, but %s has no bf16 arithmetic: slow", device_name(device))
    return torch.bfloat16 if native or option == "bf16" else torch.float32


def has_bf16(device: torch.device) -> bool:
    """Return whether the hardware multiplies bfloat16 itself: CUDA from Ampere on; CPUs with avx512_bf16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool({"avx512_bf16", "amx_bf16"} & cpu_flags())


def configure(device: torch.device, threads: int, deterministic: bool) -> None:
    """Set what torch keeps per process: threads, denormals, and how far speed may cost repeatability.

    Deterministic runs repeat their bits on the same hardware with the same number of threads; an operation that
    has no deterministic form stops the training (see `segstudy.training.cell`). Must come before the first tensor work:
    worker threads inherit the flag for denormals, and cuBLAS reads its workspace setting once.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    if deterministic:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    # Its other name, use_deterministic_algorithms, loads the compiler as well: a second at the start of each training.
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    # Filling fresh memory with NaN is a debugging aid that the mode brings along: it costs a pass over every tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True


def compiled(network: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """Return `network` (a module or its `all_logits`) compiled by torch.compile: its own names, behind a faster call.

    Each shape of a batch is compiled for itself. Graphs with open shapes would depend on which shape came first,
    and a continued training meets them in another order than an undisturbed one. More shapes than the limit are an
    error: what torch does by default, to go on without compiling, would also depend on the order.
    """
    import torch._dynamo

    torch.use_deterministic_algorithms(torch.are_deterministic_algorithms_enabled())  # the compiler has its own flag
    torch._dynamo.config.recompile_limit = 64  # shapes: full, last and halved batches, of whole images or crops
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    logger.info("the training pass is compiled (torch.compile): the first steps take up to a minute")
    return torch.compile(network, dynamic=False)


def peak_for(work: float, device: torch.device, arithmetic: torch.dtype) -> float | None:
    """Return the measured peak for a training of `work` operations; None where that is not worth the time."""
    return measure_peak(device, arithmetic) if work >= WORTH_MEASURING else None


def measure_peak(device: torch.device, arithmetic: torch.dtype) -> float:
    """Return the floating-point operations per second that this job's best convolution reaches; takes < 1.5 s.

    A 3x3 convolution of 64 to 64 channels on 64x64 pixels, forward, channels-last, in the arithmetic and with the
    threads of the training: 2 * 64 * 64 * 9 * 64 * 64 operations an image (a multiply-add is 2). It is repeated for
    about 0.2 seconds in five equal pieces, and the fastest piece counts: what disturbs a machine only makes it slower.
    No random number is drawn. The values are not zero: processors run cooler and faster on zeros.
    """
    side = channels = 64
    work = 2 * channels * channels * 9 * side * side

    def values(*shape: int) -> Tensor:
        ramp = torch.arange(math.prod(shape), device=device, dtype=torch.float32).sin_().view(shape)
        return ramp.to(arithmetic).contiguous(memory_format=torch.channels_last)

    def timed(x: Tensor, times: int) -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        for _ in range(times):
            functional.conv2d(x, weight, padding=1)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return max(time.perf_counter() - started, 1e-9)

    piece = 0.2 / 5  # seconds
    with torch.inference_mode():
        weight, one = values(channels, channels, 3, 3), values(1, channels, side, side)
        timed(one, 2)  # kernels are chosen and loaded
        images = min(256 if device.type == "cuda" else 16, max(1, int(piece / timed(one, 1))))
        x = values(images, channels, side, side)
        timed(x, 1)
        times = max(1, round(piece / timed(x, 1)))
        return work * images * times / min(timed(x, times) for _ in range(5))


def describe(device: torch.device, arithmetic: torch.dtype) -> dict[str, str | int]:
    """Return all that the last bits of a training depend on beside its settings, data and code."""
    return {
        "device": device_name(device),
        "precision": "bf16" if arithmetic == torch.bfloat16 else "fp32",
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),  # it is a class of its own, which no state may hold
    }


def device_name(device: torch.device) -> str:
    """Return the name of the GPU or of the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()


def cpu_name() -> str:
    """Return the model of the CPU as the system calls it."""
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_flags() -> set[str]:
    """Return the instruction sets of the CPU; empty where the system does not list them (not Linux on x86)."""
    for line in _cpuinfo():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
