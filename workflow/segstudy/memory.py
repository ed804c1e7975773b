"""Memory of a training: keep it in the process, and say what to do when it runs out."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from segstudy.errors import StudyError


@contextmanager
def explained(batch_size: int, canvas: Sequence[int], accumulate: int, device: torch.device) -> Iterator[None]:
    """Turn running out of memory, and a missing deterministic form of an operation, into messages to act on."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        text = str(error)
        exhausted = isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
            sign in text for sign in ("not enough memory", "can't allocate memory", "CUDA out of memory")
        )
        if exhausted:
            raise StudyError(
                f"out of memory on {device} with batches of {batch_size} at {canvas[0]}x{canvas[1]} pixels "
                f"({text.splitlines()[0] if text else 'no more is known'})",
                where="the recipe's batch_size",
                remedy=f"raise the recipe's accumulate (now {accumulate}): same result up to batch normalisation, less "
                "memory; or lower batch_size, crop, the data set's size or the network's width",
            ) from error
        if "deterministic" in text and "use_deterministic_algorithms" in text:
            raise StudyError(
                f"on {device} an operation of this network has no deterministic form ({text.partition('.')[0]})",
                where="the recipe's deterministic: true",
                remedy="set deterministic: false in the recipe; repeated runs may then differ in their last bits",
            ) from error
        raise


def keep_freed_memory() -> bool:
    """Tell glibc to keep large freed blocks in the process; return whether it could be told.

    Every step frees and asks again for the same large tensors. By default each goes back to the system and comes
    back as fresh zeroed pages, one page fault per 4 KiB.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not glibc: nothing to tell
        return False
    trim_threshold, mmap_threshold = -1, -3
    # 4 GiB minus one page does not fit a C int; the largest value does the same.
    return bool(mallopt(mmap_threshold, 2**30)) and bool(mallopt(trim_threshold, 2**31 - 1))
