"""The rules by which a plan chooses one value each, with the sentence that says which numbers decided.

docs/planning.md gives their reasons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from segstudy.runtime.resources import NetworkMemory
from segstudy.study.estimates import START
from segstudy.study.receptive_fields import receptive_field

THICK_ENOUGH = 4.0  # pixels on the canvas that the thinnest tenth of the objects should have
LARGEST, USUAL, SMALLEST = 512, 256, 128  # long side of what a network sees at once
MULTIPLE = 32
COARSEST = 4  # pixels of the shorter side of the coarsest feature map, as in nnU-Net
FEWEST_POOLINGS, MOST_POOLINGS = 3, 5
DILATIONS = range(4, 8)  # of a network without pooling: 1, 2, ... 8 to 1, 2, ... 64
WIDTHS = (32, 16, 8)  # of the first level; the first is for GPUs alone
FEWEST_BATCH, SMALL_BATCH, LARGEST_BATCH = 2, 4, 16  # the first only where no more fit into the memory
STEPS_PER_EPOCH = 16  # at least, where there are images for it
STEPS, LEAST_STEPS = 4_000, 1_000  # of a training; that a limit of time should leave room for
FEWEST_EPOCHS, MOST_EPOCHS = 20, 500
HOURS = 1.0  # of a training where nobody sets a limit
LONGER = 4  # times `STEPS`, where somebody gives the time for it
SMALLEST_CROP = 128  # where there is little time
STILL_THERE = 0.5  # pixels of the thinnest tenth, below which no lack of time shrinks it
FINE = 2.0  # pixels: where the thinnest tenth has no more in the files, it is never shrunk
MOST_CROPS = 16  # of an image in an epoch
USABLE = 0.8  # of the memory: estimates of memory are not exact

Settings = Mapping[str, Any]  # kind and options of a network


class Facts(NamedTuple):
    """A data set. Pixels are those of the files."""

    sizes: Sequence[tuple[int, int]]  # (width, height) of the images
    train: int
    val: int
    span: float | None  # of the median object (`data.object_sizes`); None: not known
    thinnest: float | None  # thickness of the thinnest tenth of objects
    channels: int
    outputs: int  # logits of a pixel

    @property
    def long_side(self) -> float:
        """Median of the images' long sides."""
        return float(np.median([max(size) for size in self.sizes]))


class Machine(NamedTuple):
    """What one training has."""

    gpu: bool
    threads: int  # without a GPU
    memory_gb: float
    memory_words: str  # whose memory that is
    hours: float | None = None


def choose_size(facts: Facts, shrink: float = 1.0, short: str = "") -> tuple[Any, str]:
    """Return the size of the canvas: small, but so large that the thinnest tenth of the objects stays thick enough.

    It shrinks where time or memory is `short`.
    """
    long, largest = facts.long_side, max(max(size) for size in facts.sizes)
    seen = f"images are {long:.0f} px long"
    if facts.thinnest is None:
        needed = float(min(USUAL, long))
        seen += ", and the thickness of objects is not known"
    else:
        needed = THICK_ENOUGH / facts.thinnest * long
        seen += f", and the thinnest tenth of their objects is {facts.thinnest:.0f} px thick"
    least = STILL_THERE / facts.thinnest * long if facts.thinnest else 0
    if facts.thinnest and facts.thinnest <= FINE:
        least = long
    if needed > LARGEST and (shrink == 1 or least >= long):
        return "native", f"{seen}: on a long side of {LARGEST} less than {THICK_ENOUGH:.0f} would be left"
    side = MULTIPLE * math.ceil(max(SMALLEST, least, shrink * min(long, max(USUAL, needed))) / MULTIPLE)
    if side >= largest:
        return "native", f"{seen}: small enough as they are"
    kept = "" if facts.thinnest is None else f": {facts.thinnest * side / long:.2g} of them on a long side of {side}"
    little = f", as little {short} is left" if short else ""
    return {"long_side": side}, f"{seen}{kept}{little}"


def choose_crop(canvas: tuple[int, int], span: float | None, shrink: float, short: str) -> tuple[list[int] | None, str]:
    """Return crops of what is too large to be seen whole: large enough for the median object."""
    if max(canvas) <= LARGEST:
        return None, f"canvases of {canvas[1]}x{canvas[0]} are seen whole"
    least = max(SMALLEST_CROP, min(LARGEST, span or 0))  # the median object is held, however little time there is
    wanted = _up(max(least, shrink * max(USUAL, least)), MULTIPLE)
    sides = [min(wanted, side // MULTIPLE * MULTIPLE) for side in canvas]
    around = f"; the median object is {span:.0f} px long" if span else ""
    little = f"; larger ones take too much {short}" if short else ""
    return sides, f"canvases of {canvas[1]}x{canvas[0]} are too large to be seen whole{around}{little}"


def choose_shape(
    settings: Settings, span: float | None, side: int, width: int, machine: Machine
) -> dict[str, tuple[Any, str]]:
    """Return depth and width of a network, each with its sentence, where they are not written."""
    shape: dict[str, tuple[Any, str]] = {}
    if "depth" not in settings:
        most = max(1, int(math.log2(max(2, side / COARSEST))))
        depths = range(min(FEWEST_POOLINGS, most), min(MOST_POOLINGS, most) + 1)
        if settings["network"] == "dilatednet":
            depths = DILATIONS
        fields = {depth: receptive_field({**settings, "depth": depth}) or 0 for depth in depths}
        enough = [depth for depth, pixels in fields.items() if span is None or pixels >= span]
        depth = min(enough, default=max(depths))
        why = f"{fields[depth]} px are seen from each"
        why += (
            f"; the median object is {span:.0f} px long on this canvas" if span else "; sizes of objects are not known"
        )
        if not enough:
            why += f"; more than {max(depths)} poolings are not planned for inputs of {side} pixels"
        shape["depth"] = depth, why
    if "width" not in settings:
        first = WIDTHS[0] if machine.gpu else WIDTHS[1]
        usual = f"{first} is usual on {'a GPU' if machine.gpu else 'CPU cores'}"
        shape["width"] = width, usual if width == first else f"{usual}, and would take too much memory"
    return shape


def choose_crops(crop: Sequence[int] | None, canvas: tuple[int, int], inputs: float) -> tuple[int, str]:
    """Return the crops of an image in an epoch: as many as show each of its pixels about once.

    `inputs` is how many crops of an image the time allows in all.
    """
    if crop is None:
        return 1, "images are seen whole"
    every = math.ceil(math.prod(canvas) / math.prod(crop))
    count = max(1, min(MOST_CROPS, every, int(inputs / FEWEST_EPOCHS)))
    if count == every:
        return count, "so many show each pixel of a canvas about once"
    limit = f"at most {MOST_CROPS}" if count == MOST_CROPS else f"the time allows no more in {FEWEST_EPOCHS} epochs"
    return count, f"{every} would show each pixel of a canvas about once; {limit}"


def fitting_batch(needs: Sequence[NetworkMemory], pixels: int, free_mb: float) -> int:
    """Return how many inputs of the network that needs most fit in one step into what a process has beside itself."""
    return max(0, min(int((free_mb - one.weights) / (one.mb(pixels) - one.weights)) for one in needs))


def choose_batch(visits: int, inputs: float, fitting: int, machine: Machine, how: str) -> tuple[int, str]:
    """Return the largest power of two that fits into the memory, and leaves enough steps in an epoch and in all.

    Args:
        visits: inputs in an epoch.
        inputs: that the time allows in all.
        fitting: in one step, into the memory.
        how: `fitting` is known.
    """
    limits = {
        "larger ones save little time": LARGEST_BATCH,
        f"an epoch of {visits} inputs has few steps as it is": max(SMALL_BATCH, visits // STEPS_PER_EPOCH),
        f"the time allows about {inputs:.0f} inputs, and {LEAST_STEPS} steps are wanted": max(
            SMALL_BATCH, int(inputs / LEAST_STEPS)
        ),
        "no more fit into the memory": max(FEWEST_BATCH, fitting),
    }
    why = min(limits, key=lambda limit: limits[limit])
    room = f"{fitting} would fit into {USABLE:.0%} of {machine.memory_gb:.1f} GB ({machine.memory_words}), {how}"
    return 2 ** int(math.log2(limits[why])), f"{why}; {room}"


def choose_epochs(per_epoch: int, seconds: float, hours: float | None) -> tuple[int, str]:
    """Return the epochs that make `STEPS` steps, or as many as the time allows; more steps only where it is given.

    Args:
        per_epoch: steps.
        seconds: of an epoch.
        hours: of the training, where somebody has set them.
    """
    wanted = max(FEWEST_EPOCHS, min(MOST_EPOCHS, math.ceil(STEPS / per_epoch)))
    most = wanted if hours is None else LONGER * wanted
    within = epochs_within(seconds, hours)
    epochs = min(most, within)
    times = "" if hours is None else f"{LONGER} times "
    if within < most:
        why = f"as many as fit into {hours or HOURS:.3g} h"
    elif wanted in (FEWEST_EPOCHS, MOST_EPOCHS):
        why = f"{times}the {'fewest' if wanted == FEWEST_EPOCHS else 'most'} that are usual, {wanted}"
    else:
        why = f"{times}the usual {STEPS} steps"
    return epochs, f"{why}: {epochs * per_epoch} steps, {per_epoch} in an epoch of about {seconds:.1f} s (guessed)"


def epochs_within(seconds: float, hours: float | None) -> int:
    """Return how many epochs of so many seconds the time allows."""
    return max(1, int((3600 * (hours or HOURS) - START) / seconds))


def _up(value: float, multiple: int) -> int:
    return max(multiple, multiple * math.ceil(value / multiple))
