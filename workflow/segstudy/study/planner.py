"""Choose sizes, crops, batches, epochs, depth and width of networks: by the data, the memory and the time.

One attempt after another follows the rules of `plan_choices`, until one fits into the memory and the time: where memory
is short the network gets narrower, and the images shrink where the narrowest does not fit; where time is short the
images shrink.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from segstudy.core.errors import StudyError
from segstudy.runtime.resources import NetworkMemory
from segstudy.study.dataset_size import canvas_of
from segstudy.study.earlier_cells import PASSES
from segstudy.study.estimates import BASE_MB, CONTEXT_MB, HELD_MB, START
from segstudy.study.flops import forward_seconds, guessed_memory, network_cost
from segstudy.study.plan_choices import (
    FEWEST_BATCH,
    FEWEST_EPOCHS,
    HOURS,
    LEAST_STEPS,
    MOST_EPOCHS,
    USABLE,
    WIDTHS,
    Facts,
    Machine,
    Settings,
    choose_batch,
    choose_crop,
    choose_crops,
    choose_epochs,
    choose_shape,
    choose_size,
    epochs_within,
    fitting_batch,
)

SHRINKS = (0.75, 0.5, 0.35, 0.25, 0.1875)  # of the long side, where there is little time or memory

# (network, channels, outputs, (height, width), whether on a GPU, whether in bf16) -> what it takes, None: not known
CountMemory = Callable[[Settings, int, int, tuple[int, int], bool, bool], NetworkMemory | None]


class Plan(NamedTuple):
    """Values by key, written ones among them, and a sentence for each that was chosen."""

    values: dict[str, Any]
    models: dict[str, dict[str, Any]]
    because: dict[str, str]
    memory: dict[str, NetworkMemory]  # of each network where it was counted
    fits: bool  # into the memory
    enough: bool  # time for the steps, and the views of each image, that are needed

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
        written: what a person has chosen, by key: `size`, `crop`, `crops_per_image`, `batch_size`, `epochs`; also
            `crops_per_epoch`, `validate_every`, `accumulate` and `precision`, which are never chosen.
        models: settings of each network, without `depth` and `width` where they are to be chosen.
        count: the memory of a network in training; None: guessed with care, without torch.

    Raises:
        StudyError: not even two inputs of the narrowest network fit into the memory.
    """

    def attempt(width: int, shrink: float = 1.0, short: str = "") -> Plan:
        return _attempt(facts, machine, written, models, width, shrink, short, count)

    shrinks = iter(SHRINKS)
    for width in WIDTHS if machine.gpu else WIDTHS[1:]:
        plan = attempt(width)
        if plan.fits:
            break
    while not plan.fits:
        shrink = next(shrinks, None)
        if shrink is None:
            raise StudyError(
                f"not even {FEWEST_BATCH} inputs of the narrowest network fit into {machine.memory_gb:.1f} GB, beside "
                "the resized images",
                where=f"plan.memory_gb ({machine.memory_words})",
                remedy="give trainings more memory, or write a smaller size or crop, or narrower networks",
            )
        plan = attempt(width, shrink, "memory")
    for shrink in shrinks:
        if plan.enough:
            break
        smaller = attempt(width, shrink, "time")
        plan = smaller if smaller.fits else plan  # a small canvas that is seen whole may need more than a crop
    return plan


def _attempt(
    facts: Facts,
    machine: Machine,
    written: Mapping[str, Any],
    models: Mapping[str, Settings],
    width: int,
    shrink: float,
    short: str,
    count: CountMemory | None,
) -> Plan:
    """Return the plan with networks of this width on images of this share of their size, for what is `short`."""
    draft = Plan(dict(written), {}, {}, {}, False, False)
    draft.choose("size", *choose_size(facts, shrink, short))
    canvas, scale = canvas_of(facts.sizes, draft.values["size"])
    span = facts.span * scale if facts.span else None
    draft.choose("crop", *choose_crop(canvas, span, shrink, short))
    if not models:  # images without labels, which others learn from
        return draft._replace(fits=True, enough=True)
    seen = (*(draft.values["crop"] or canvas),)
    store_mb = len(facts.sizes) * math.prod(canvas) * (facts.channels + 2) / 1e6
    most_held = 1000 * machine.memory_gb / 2 if machine.gpu else HELD_MB  # what is larger stays on the disk
    free_mb = USABLE * 1000 * machine.memory_gb - (CONTEXT_MB if machine.gpu else BASE_MB)
    free_mb -= store_mb if store_mb <= most_held else 0.0
    costs, needs = [], []
    for name, settings in models.items():
        shape = choose_shape(settings, span, min(seen), width, machine)
        draft.models[name] = {key: value for key, (value, _) in shape.items()}
        draft.because.update({f"models.{name}.{key}": why for key, (_, why) in shape.items()})
        network = {**settings, **draft.models[name]}, facts.channels, facts.outputs
        costs.append(network_cost(*network))
        bf16 = draft.values.get("precision") == "bf16"
        if count and free_mb > 0 and (counted := count(*network, seen, machine.gpu, bf16)):
            draft.memory[name] = counted
        needs.append(draft.memory.get(name) or guessed_memory(costs[-1]))
    a_pixel = max(forward_seconds(cost, 1, machine.gpu, machine.threads) for cost in costs)  # of the slowest network
    input_seconds = PASSES * a_pixel * math.prod(seen)
    inputs = (3600 * (machine.hours or HOURS) - START) / input_seconds  # that the time allows
    draft.choose("crops_per_image", *choose_crops(draft.values["crop"], canvas, inputs / facts.train))
    visits = draft.values.get("crops_per_epoch") or facts.train * draft.values["crops_per_image"]
    fitting = fitting_batch(needs, math.prod(seen), free_mb) * draft.values.get("accumulate", 1)
    how = "counted" if len(draft.memory) == len(models) else "guessed with care"
    draft.choose("batch_size", *choose_batch(visits, inputs, fitting, machine, how))
    per_epoch = math.ceil(visits / draft.values["batch_size"])
    validation = facts.val * a_pixel * math.prod(canvas) / draft.values.get("validate_every", 1)
    epoch_seconds = visits * input_seconds + validation
    within = epochs_within(epoch_seconds, machine.hours)
    needed = max(math.ceil(LEAST_STEPS / per_epoch), math.ceil(FEWEST_EPOCHS * facts.train / visits))
    needed = draft.values.get("epochs") or min(needed, MOST_EPOCHS)
    draft.choose("epochs", *choose_epochs(per_epoch, epoch_seconds, machine.hours))
    cut = draft.values["epochs"] >= within  # by the time, which then is not for validation
    enough = needed <= within and (not cut or validation <= visits * input_seconds)
    return draft._replace(fits=fitting >= FEWEST_BATCH, enough=enough)
