"""The optimiser of a recipe, and its learning rate as a pure function of the step.

No scheduler object holds any state: a training continued at step n has the rate of an undisturbed one at step n.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, NamedTuple

import torch
from torch import nn

from segstudy.config.recipes import Recipe, Schedule
from segstudy.core.errors import StudyError

# The defaults of torch's OneCycleLR: where the rise starts, and where the fall ends below that start.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4
# One kernel for the whole step instead of a dozen per parameter. Fused steps are elementwise: same bits each run.
FUSED_ON = ("cpu", "cuda")


class Still(NamedTuple):
    """What of a network does not learn in the first epochs."""

    weights: list[nn.Parameter]
    norms: list[nn.Module]  # whose running statistics stay too


def build_optimiser(
    network: nn.Module, recipe: Recipe, device: torch.device | str, taken: Collection[str] = ()
) -> torch.optim.Optimizer:
    """Return the optimiser of a recipe over the parameters that learn (`requires_grad`).

    `adam` adds the weight decay to the gradient (L2), `adamw` shrinks the weights themselves (Loshchilov and
    Hutter 2019), `sgd` has classical momentum. The rate in it is the recipe's `learning_rate`, to be multiplied by
    `learning_rate_factor` before every step. Parameters in `taken` (names: not started from chance) have that of the
    recipe's `transfer.rate` times this, in a group of their own.
    """
    learning = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    slower = [name for name in learning if name in taken] if recipe.transfer.rate != 1 else []
    faster = [parameter for name, parameter in learning.items() if name not in set(slower)]
    groups: list[dict[str, Any]] = [{"params": faster}] if faster else []
    if slower:
        rate = recipe.learning_rate * recipe.transfer.rate
        groups.append({"params": [learning[name] for name in slower], "lr": rate})
    fused = torch.device(device).type in FUSED_ON
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, weight_decay=decay, fused=fused)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimiser]
    return kind(groups, lr=rate, weight_decay=decay, fused=fused)


def still(network: nn.Module, recipe: Recipe, taken: Collection[str]) -> Still:
    """Return what the recipe's `transfer.freeze` holds still: everything that was not started from chance.

    Raises:
        StudyError: nothing else would be left to learn.
    """
    if not recipe.transfer.freeze:
        return Still([], [])
    learning = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    if learning and all(name in taken for name in learning):
        raise StudyError(
            f"nothing would learn in the first {recipe.transfer.freeze} epochs: every tensor was taken over",
            where="the recipe's transfer.freeze",
            remedy="set freeze: 0, or start_from: {take: encoder} to leave the way up to chance",
        )
    weights = [parameter for name, parameter in learning.items() if name in taken]
    return Still(weights, [module for name, module in network.named_modules() if f"{name}.running_mean" in taken])


def hold_still(parts: Still, frozen: bool) -> None:
    """Take the parts out of learning, or put them back; to be called after `network.train()`.

    Frozen weights get no gradient, so that the optimiser has no moments of them either; the normalisations among them
    work as in evaluation: statistics that went on moving would change what the frozen weights were learned for.
    """
    for parameter in parts.weights:
        parameter.requires_grad_(not frozen)
    for norm in parts.norms:
        norm.train(not frozen)


def learning_rate_factor(schedule: Schedule, step: int, epochs: int, steps_per_epoch: int) -> float:
    """Return what the recipe's learning rate is multiplied by in optimiser step `step` (0 is the first).

    With t = step / (epochs * steps_per_epoch), the share of the training that is done:

    - constant: 1
    - multistep: gamma^(number of milestones <= epochs done), changes between epochs only
    - cosine: (1 + cos(pi t)) / 2, towards 0
    - one_cycle: cosine from 1/25 up to 1 during the share `warmup` of the steps, then cosine down to 4e-6
      (Smith and Topin 2018, as torch's OneCycleLR, without its cycling of the momentum)
    - polynomial: (1 - t)^power
    """
    total = epochs * steps_per_epoch
    if not 0 <= step < total:
        raise ValueError(f"step {step} is outside of a training of {epochs} x {steps_per_epoch} steps")
    if schedule.kind == "multistep":
        return schedule.gamma ** sum(milestone <= step // steps_per_epoch for milestone in schedule.milestones)
    if schedule.kind == "cosine":
        return _cosine(1.0, 0.0, step / total)
    if schedule.kind == "one_cycle":
        return _one_cycle(step, total, schedule.warmup)
    if schedule.kind == "polynomial":
        return (1 - step / total) ** schedule.power
    return 1.0


def _one_cycle(step: int, total: int, warmup: float) -> float:
    top, last = warmup * total - 1, total - 1
    if step < top:
        return _cosine(ONE_CYCLE_START, 1.0, step / top)
    top = max(top, 0.0)  # so few steps that none of them rises
    return _cosine(1.0, ONE_CYCLE_END, (step - top) / (last - top) if last > top else 0.0)


def _cosine(start: float, end: float, share: float) -> float:
    """Go from `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
