"""Memory of a training: keep freed memory in the process, and advise what to do when it runs out."""

from __future__ import annotations

import ctypes
import gc
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil
import torch

from segstudy.core.errors import StudyError, first_line

# What torch, its libraries and the C++ runtime say when memory is at its end, in errors that have no type of their own.
SIGNS = (
    "not enough memory",
    "can't allocate memory",
    "CUDA out of memory",
    "std::bad_alloc",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
# What oneDNN says when it has no memory for the code of a convolution; but also of one that it does not know.
UNSURE_SIGN = "could not create a primitive"
NEARLY_NOTHING = 2**28
# Beside what the backward pass needs of the forward pass: gradients of the layers in work, workspaces of convolutions,
# and gaps. Seen on the CPU for depth 3, widths 8 to 32, 128 and 256 pixels: 1.1 to 1.6.
OVERHEAD = 1.5


def exhausted(error: BaseException) -> bool:
    """Return whether the error says that there is no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if not isinstance(error, RuntimeError):
        return False
    unsure = UNSURE_SIGN in str(error) and _free(torch.device("cpu")) < NEARLY_NOTHING
    return unsure or any(sign in str(error) for sign in SIGNS)


@contextmanager
def explain_errors(
    batch_size: int,
    canvas: Sequence[int],
    accumulate: int,
    device: torch.device,
    per_image: int = 0,
) -> Iterator[None]:
    """Turn what a training cannot go on with, through no fault of the code, into messages to act on.

    That is: no memory left, an operation without a deterministic form, a compiler that fails, and batch normalisation
    of a single value.

    Args:
        batch_size: images in a step.
        canvas: height, width of what the network sees.
        accumulate: parts of a batch.
        per_image: bytes that one image keeps in training (`cost.count_saved_bytes`); 0 where that is not known. It must
            be known beforehand: once memory is exhausted there is none left to find out.
    """
    before = _held(device)
    try:
        yield
    except StudyError:
        raise
    except Exception as error:
        text = str(error)
        if exhausted(error):
            usable = _free(device) + _held(device) - before
            advice = suggestion(batch_size, accumulate, usable, per_image) if per_image else ""
            raise StudyError(
                f"out of memory on {device} with batches of {batch_size} at {canvas[0]}x{canvas[1]} pixels "
                f"in {accumulate} part{'s' * (accumulate > 1)} ({first_line(error)})",
                where="the recipe's batch_size",
                remedy=f"{advice}raise the recipe's accumulate (now {accumulate}): same result up to batch "
                "normalisation, less memory; or set on_oom: halve, which finds the parts itself; or lower batch_size, "
                "crop, the data set's size or the network's width",
            ) from error
        if "deterministic" in text and "use_deterministic_algorithms" in text:
            raise StudyError(
                f"on {device} an operation of this network has no deterministic form ({text.partition('.')[0]})",
                where="the recipe's deterministic: true",
                remedy="set deterministic: false in the recipe; repeated runs may then differ in their last bits",
            ) from error
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise StudyError(
                f"the network cannot be compiled on {device} ({' '.join(text.split())[:300]})",
                where="the recipe's compile: true",
                remedy="set compile: false; or install a C++ compiler (g++), which torch.compile needs on a CPU",
            ) from error
        if "Expected more than 1 value per channel" in text:
            raise StudyError(
                "a part of a batch is one image, which the network reduces to one pixel: batch normalisation cannot "
                "learn from one value",
                where="the recipe's batch_size, accumulate and on_oom",
                remedy="lower accumulate, raise batch_size or crop, or set the network's normalisation to another kind",
            ) from error
        raise


def suggestion(batch_size: int, accumulate: int, available: int, per_image: int) -> str:
    """Return the advice which `accumulate` should fit: an estimate.

    Args:
        batch_size: images in a step.
        accumulate: parts of a batch, which did not fit.
        available: bytes that a training can have here: what is free, and what it held when it failed.
        per_image: bytes that one image keeps.
    """
    fits = int(available / (OVERHEAD * per_image))
    figures = (
        f"an image takes about {OVERHEAD * per_image / 1e6:.0f} MB here, and about {available / 1e6:.0f} MB are usable"
    )
    if fits < 1 or accumulate >= batch_size:
        return f"{figures}: not even one image at a time may fit; "
    # What failed is known not to fit, whatever the estimate says.
    parts = min(batch_size, max(2 * accumulate, -(-batch_size // fits)))
    return f"{figures}: set accumulate: {parts}; in general, "


def _held(device: torch.device) -> int:
    return torch.cuda.memory_reserved(device) if device.type == "cuda" else psutil.Process().memory_info().rss


def _free(device: torch.device) -> int:
    """Return the bytes that are free; on the CPU a limit of the process's address space (`ulimit -v`) counts too."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = psutil.virtual_memory().available
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return free if limit == resource.RLIM_INFINITY else min(free, max(0, limit - psutil.Process().memory_info().vms))


def release() -> None:
    """Give memory that holds nothing any more back to the system and to the GPU, after a step that found too little.

    Libraries ask the system itself for memory (oneDNN for the code of a convolution of a new shape), and find none
    while the process keeps what it has freed (see `keep_freed_memory`).
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # not glibc: it keeps nothing
        return


def keep_freed_memory(on_oom: str = "fail") -> bool:
    """Tell glibc to keep large freed blocks in the process; return whether it does.

    Every step frees and asks again for the same large tensors. By default each goes back to the system and comes
    back as fresh zeroed pages, one page fault per 4 KiB.

    With `on_oom: halve` in a process of limited address space it is told the contrary: a heap that a failed step has
    left full of holes never shrinks, and oneDNN, which asks the system for memory of its own, would find none.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not glibc: nothing to tell
        return False
    trim_threshold, mmap_threshold = -1, -3
    if on_oom == "halve" and resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        mallopt(mmap_threshold, 2**17)  # glibc's default; said expressly, so that it does not rise with use
        return False
    # 4 GiB minus one page does not fit a C int; the largest value does the same.
    return bool(mallopt(mmap_threshold, 2**30)) and bool(mallopt(trim_threshold, 2**31 - 1))
