"""Stateless random numbers: every draw is a function of (seed, purpose, epoch, step).

Nothing depends on how much was drawn before, so a training continued from (epoch, step) repeats the draws of one
that was never stopped, and no generator's state has to be saved.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def number(seed: int, purpose: str, epoch: int = 0, step: int = 0) -> int:
    """Return a whole number in 0 .. 2**63 - 1 that is the same on every machine and in every release.

    It is the first 63 bits of the SHA-256 of 'seed/purpose/epoch/step': neighbouring seeds or steps share nothing.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, epoch: int = 0, step: int = 0) -> torch.Generator:
    """Return a torch generator (on the CPU, so that every device draws the same) for one decision."""
    import torch

    return torch.Generator().manual_seed(number(seed, purpose, epoch, step))


def numpy_generator(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """Return a numpy generator for one decision."""
    return np.random.default_rng(number(seed, purpose, epoch))
