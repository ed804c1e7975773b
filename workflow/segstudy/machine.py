"""What the machine has, asked without importing torch."""

from __future__ import annotations

from pathlib import Path


def has_gpu(devices: Path = Path("/dev")) -> bool:
    """Return whether an NVIDIA GPU is attached (`/dev/nvidia0`, ...)."""
    return any(devices.glob("nvidia[0-9]*"))
