"""Provenance of a training, the content of run.json: settings, data, code, environment, times."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import resource
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from segstudy.core import checksums, files

SECONDS = ("steps", "validation", "saving")
PACKAGES = ("segstudy", "torch", "numpy", "pandas", "scikit-image", "safetensors", "snakemake")
TRAINING_PASSES = 3


def run_record(
    settings: Mapping[str, Any],
    seed: int,
    *,
    data: Mapping[str, str],
    code: str,
    environment: Mapping[str, Any],
    starts: list[dict[str, Any]],
    seconds: Mapping[str, float],
    images_seen: int,
    flops_per_image: int,
    peak: float | None,
    command: str,
    **facts: Any,
) -> dict[str, Any]:
    """Return the content of run.json as plain values.

    Args:
        data: SHA-256 of every file that the training read.
        code: fingerprint of the package code that ran.
        environment: device, precision, threads, torch (`runtime.device.describe`).
        starts: where each process began (epoch, step) and on what; more than one means interruptions.
        seconds: `steps`, `validation`, `saving` over all processes, `total` of the last one.
        images_seen: images, or crops, that were trained on.
        flops_per_image: of the forward pass.
        peak: measured operations per second of this machine (`runtime.device.measure_peak`), if they were measured.
        facts: further entries: parameters, FLOPs, weights of the loss, ...
    """
    return {
        "settings": dict(settings),
        "seed": seed,
        "data": dict(data),
        "code": code,
        "git": git_state(Path(__file__).parent),
        "packages": package_versions(),
        "python": platform.python_version(),
        "system": platform.platform(),
        **environment,
        "peak_memory_mb": peak_memory(),
        "starts": starts,
        "interruptions": len(starts) - 1,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "images_seen": images_seen,
        **throughput(images_seen, seconds.get("steps", 0.0), flops_per_image, peak),
        "command": command,
        **facts,
    }


def read_run(path: str | Path, keys: Sequence[str] = ("seconds",)) -> dict[str, Any]:
    """Read a run.json.

    Args:
        keys: entries that are asked of it; `seconds` with all parts of SECONDS, `peak_memory_mb` with `host`.

    Raises:
        FileNotFoundError: there is no file.
        StudyError: it is damaged, or lacks an entry.
    """
    record: dict[str, Any] = files.read_json(path, keys)
    for key, parts in (("seconds", SECONDS), ("peak_memory_mb", ("host",))):
        values = record.get(key) if key in keys else dict.fromkeys(parts, 0.0)
        if not isinstance(values, dict) or not all(isinstance(values.get(part), int | float) for part in parts):
            raise checksums.damaged(path, f"its '{key}' are not numbers of {', '.join(parts)}")
    return record


def throughput(images_seen: int, steps: float, flops_per_image: int, peak: float | None) -> dict[str, Any]:
    """Return images/s, operations of an image, operations/s, and their share of this machine's measured peak.

    Training takes three times the operations of the forward pass: the backward pass makes the gradients of the inputs
    and of the weights of each layer, and each costs what the forward pass does. A multiply-add is two operations.
    `steps` are the seconds in steps, of all processes: batches, augmentation, both passes and the optimiser; not
    validation and saving. None where something was not measured.
    """
    training = TRAINING_PASSES * flops_per_image
    rate = images_seen / steps if steps > 0 else None
    achieved = rate * training if rate is not None else None
    return {
        "images_per_second": _rounded(rate, 2),
        "flops_per_image": flops_per_image,
        "training_flops_per_image": training,
        "flops_per_second": _rounded(achieved),
        "peak_flops_per_second": _rounded(peak),
        "share_of_peak": _rounded(achieved / peak, 4) if achieved is not None and peak else None,
    }


def format_throughput(record: Mapping[str, Any]) -> str:
    """Return the throughput of a run record as text for the log."""
    if record["images_per_second"] is None:
        return "no step was taken"
    work, achieved = record["training_flops_per_image"] / 1e9, record["flops_per_second"] / 1e9
    text = (
        f"{record['images_per_second']:.1f} images/s x {work:.3g} GFLOP (3 x forward) = {achieved:.3g} GFLOP/s in steps"
    )
    if record["share_of_peak"] is None:
        return text
    peak = record["peak_flops_per_second"] / 1e9
    return f"{text}, {record['share_of_peak']:.0%} of the {peak:.3g} GFLOP/s that a convolution reached here"


def package_versions(names: Iterable[str] = PACKAGES) -> dict[str, str | None]:
    """Return the installed version of each package; None where it is not installed."""
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit of the checkout that `folder` lies in, and whether tracked files differ from it.

    None where there is no checkout, or no git.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit.strip(), "dirty": bool(changes and changes.strip())}


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def host_peak() -> int:
    """Return the largest memory of this process so far in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, whose `ru_maxrss` starts with the peak of the process that this one was started by
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts in bytes


def peak_memory() -> dict[str, float]:
    """Return the largest memory of this process so far in MB (a million bytes): `host`, and `cuda` where used."""
    peaks = {"host": round(host_peak() / 1e6, 1)}
    import torch

    if torch.cuda.is_available():
        peaks["cuda"] = round(torch.cuda.max_memory_allocated() / 1e6, 1)
    return peaks


def _rounded(value: float | None, digits: int | None = None) -> float | None:
    return None if value is None else round(value, digits)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
