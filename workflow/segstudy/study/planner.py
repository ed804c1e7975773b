"""Choose sizes, crops, batches, epochs, depth and width of networks: by the data, the memory and the time.

The rules are few, and docs/planning.md gives their reasons. Each choice comes with a sentence that says which numbers
decided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from segstudy.core.errors import StudyError
from segstudy.runtime.resources import NetworkMemory
from segstudy.study.dataset_size import canvas_of
from segstudy.study.earlier_cells import PASSES
from segstudy.study.estimates import BASE_MB, CONTEXT_MB, CPU_SPEED, GPU_SPEED, HELD_MB, START
from segstudy.study.flops import guessed_memory, network_cost
from segstudy.study.receptive_fields import receptive_field

THICK_ENOUGH = 4.0  # pixels on the canvas that the thinnest tenth of the objects should have
LARGEST, USUAL, SMALLEST = 512, 256, 128  # long side of what a network sees at once
SHRINKS = (1.0, 0.75, 0.5, 0.35, 0.25)  # of the long side, where there is little time
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
STILL_THERE = 1.0  # pixels of the thinnest tenth, below which no lack of time shrinks it
MOST_CROPS = 16  # of an image in an epoch
USABLE = 0.8  # of the memory: estimates of memory are not exact

Settings = Mapping[str, Any]  # kind and options of a network
# (network, channels, outputs, (height, width), whether on a GPU, whether in bf16) -> what it takes, None: not known
CountMemory = Callable[[Settings, int, int, tuple[int, int], bool, bool], NetworkMemory | None]


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

    @property
    def speed(self) -> float:
        """Operations per second, guessed as `Estimates` does."""
        return GPU_SPEED if self.gpu else CPU_SPEED * self.threads


class Plan(NamedTuple):
    """Values by key, written ones among them, and a sentence for each that was chosen."""

    values: dict[str, Any]
    models: dict[str, dict[str, Any]]
    because: dict[str, str]
    memory: dict[str, NetworkMemory]  # of each network where it was counted
    fits: bool  # into the memory
    enough: bool  # steps, and views of each image, in the time

    def choose(self, key: str, value: Any, why: str) -> None:
        """Choose a value that nobody has written."""
        if key not in self.values:
            self.values[key], self.because[key] = value, why


def make_plan(
    facts: Facts,
    machine: Machine,
    written: Mapping[str, Any],
    models: Mapping[str, Settings],
    count: CountMemory | None = None,
) -> Plan:
    """Choose what is not written.

    Args:
        facts: of the data set.
        machine: that trains.
        written: what a person has chosen, by key: `size`, `crop`, `crops_per_image`, `batch_size`, `epochs`; also
            `crops_per_epoch`, `validate_every`, `accumulate` and `precision`, which are never chosen.
        models: settings of each network, without `depth` and `width` where they are to be chosen.
        count: the memory of a network in training; None: guessed with care, without torch.

    Raises:
        StudyError: not even two inputs of the narrowest network fit into the memory.
    """
    fitting = None
    for width, shrink in _attempts(machine.gpu):
        plan = _attempt(facts, machine, written, models, width, shrink, count)
        if plan.fits:
            fitting = plan
            if plan.enough:
                break
    if fitting is None:
        raise StudyError(
            f"not even {FEWEST_BATCH} inputs of the narrowest network fit into {machine.memory_gb:.1f} GB, beside the "
            "resized images",
            where=f"plan.memory_gb ({machine.memory_words})",
            remedy="give trainings more memory, or write a smaller size or crop, or narrower networks",
        )
    return fitting


def _attempts(gpu: bool) -> Iterator[tuple[int, float]]:
    """Yield width and share of the long side, the best first: narrower networks cost less than smaller images do."""
    widths = WIDTHS if gpu else WIDTHS[1:]
    yield from ((width, 1.0) for width in widths)
    yield from ((widths[-1], shrink) for shrink in SHRINKS[1:])


def _attempt(
    facts: Facts,
    machine: Machine,
    written: Mapping[str, Any],
    models: Mapping[str, Settings],
    width: int,
    shrink: float,
    count: CountMemory | None,
) -> Plan:
    """Return the plan with networks of this width on images of this share of their size."""
    draft = Plan(dict(written), {}, {}, {}, False, False)
    draft.choose("size", *choose_size(facts, shrink))
    canvas, scale = canvas_of(facts.sizes, draft.values["size"])
    span = facts.span * scale if facts.span else None
    draft.choose("crop", *choose_crop(canvas, span, shrink))
    if not models:  # images without labels, which others learn from
        return draft._replace(fits=True, enough=True)
    seen = (*(draft.values["crop"] or canvas),)
    store_mb = len(facts.sizes) * math.prod(canvas) * (facts.channels + 2) / 1e6
    most_held = 1000 * machine.memory_gb / 2 if machine.gpu else HELD_MB  # what is larger stays on the disk
    free_mb = USABLE * 1000 * machine.memory_gb - (CONTEXT_MB if machine.gpu else BASE_MB)
    free_mb -= store_mb if store_mb <= most_held else 0.0
    costs, needs = [], []
    for name, settings in models.items():
        shape = _shape(settings, span, min(seen), width, machine)
        draft.models[name] = {key: value for key, (value, _) in shape.items()}
        draft.because.update({f"models.{name}.{key}": why for key, (_, why) in shape.items()})
        network = {**settings, **draft.models[name]}, facts.channels, facts.outputs
        costs.append(network_cost(*network))
        bf16 = draft.values.get("precision") == "bf16"
        if count and free_mb > 0 and (counted := count(*network, seen, machine.gpu, bf16)):
            draft.memory[name] = counted
        needs.append(draft.memory.get(name) or guessed_memory(costs[-1]))
    cost = max(costs, key=lambda one: one.flops)
    input_seconds = PASSES * cost.flops * math.prod(seen) / machine.speed
    inputs = (3600 * (machine.hours or HOURS) - START) / input_seconds  # that the time allows
    draft.choose("crops_per_image", *choose_crops(draft.values["crop"], canvas, inputs / facts.train))
    visits = draft.values.get("crops_per_epoch") or facts.train * draft.values["crops_per_image"]
    fitting = _fitting_batch(needs, math.prod(seen), free_mb) * draft.values.get("accumulate", 1)
    how = "counted" if len(draft.memory) == len(models) else "guessed with care"
    draft.choose("batch_size", *choose_batch(visits, inputs, fitting, machine, how))
    per_epoch = math.ceil(visits / draft.values["batch_size"])
    validation = facts.val * cost.flops * math.prod(canvas) / machine.speed / draft.values.get("validate_every", 1)
    draft.choose("epochs", *choose_epochs(per_epoch, visits * input_seconds + validation, machine.hours))
    steps, views = per_epoch * draft.values["epochs"], visits * draft.values["epochs"] / facts.train
    passes = steps >= LEAST_STEPS and views >= FEWEST_EPOCHS and validation <= visits * input_seconds
    # Crops that are smaller than the median object are worse than a smaller canvas.
    holds = "crop" not in draft.because or span is None or max(seen) >= min(span, LARGEST)
    return draft._replace(fits=fitting >= FEWEST_BATCH, enough=passes and holds)


def choose_size(facts: Facts, shrink: float = 1.0) -> tuple[Any, str]:
    """Return the size of the canvas: small, but so large that the thinnest tenth of the objects stays thick enough."""
    long, largest = facts.long_side, max(max(size) for size in facts.sizes)
    seen = f"images are {long:.0f} px long"
    if facts.thinnest is None:
        needed = float(min(USUAL, long))
        seen += ", and the thickness of objects is not known"
    else:
        needed = THICK_ENOUGH / facts.thinnest * long
        seen += f", and the thinnest tenth of their objects is {facts.thinnest:.0f} px thick"
    least = STILL_THERE / facts.thinnest * long if facts.thinnest else 0
    if needed > LARGEST and (shrink == 1 or least >= long):
        return "native", f"{seen}: on a long side of {LARGEST} less than {THICK_ENOUGH:.0f} would be left"
    side = MULTIPLE * math.ceil(max(SMALLEST, least, shrink * min(long, max(USUAL, needed))) / MULTIPLE)
    if side >= largest:
        return "native", f"{seen}: small enough as they are"
    kept = "" if facts.thinnest is None else f": {facts.thinnest * side / long:.0f} of them on a long side of {side}"
    little = "" if shrink == 1 else ", as little time is left"
    return {"long_side": side}, f"{seen}{kept}{little}"


def choose_crop(canvas: tuple[int, int], span: float | None, shrink: float) -> tuple[list[int] | None, str]:
    """Return crops of what is too large to be seen whole: large enough for the median object."""
    if max(canvas) <= LARGEST:
        return None, f"canvases of {canvas[1]}x{canvas[0]} are seen whole"
    wanted = max(SMALLEST_CROP, _up(shrink * max(USUAL, min(LARGEST, span or 0)), MULTIPLE))
    sides = [min(wanted, side // MULTIPLE * MULTIPLE) for side in canvas]
    around = f"; the median object is {span:.0f} px long" if span else ""
    little = "" if shrink == 1 else "; larger ones take too long"
    return sides, f"canvases of {canvas[1]}x{canvas[0]} are too large to be seen whole{around}{little}"


def _shape(
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
        shape["width"] = width, usual if width == first else f"{usual}, and would take too much time or memory"
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


def _fitting_batch(needs: Sequence[NetworkMemory], pixels: int, free_mb: float) -> int:
    """Return how many inputs of the network that needs most fit in one step into what a process has beside itself."""
    return max(0, min(int((free_mb - one.weights) / (one.mb(pixels) - one.weights)) for one in needs))


def choose_batch(visits: int, inputs: float, fitting: int, machine: Machine, how: str) -> tuple[int, str]:
    """Return the largest power of two that fits into the memory, and leaves enough steps in an epoch and in all.

    Args:
        visits: inputs in an epoch.
        inputs: that the time allows in all.
        fitting: in one step, into the memory.
        machine: that trains.
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
    within = max(1, int((3600 * (hours or HOURS) - START) / seconds))
    epochs = min(most, within)
    usual = (
        f"{'' if hours is None else f'{LONGER} times '}the usual {STEPS} steps, {FEWEST_EPOCHS} to {MOST_EPOCHS} epochs"
    )
    why = f"as many as fit into {hours or HOURS:.2g} h" if within < most else usual
    return epochs, f"{why}: {epochs * per_epoch} steps, {per_epoch} in an epoch of about {seconds:.1f} s (guessed)"


def _up(value: float, multiple: int) -> int:
    return max(multiple, multiple * math.ceil(value / multiple))
