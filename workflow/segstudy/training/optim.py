"""The optimizer of a recipe, frozen parts, and the learning rate as a pure function of the step.

No scheduler object holds any state: a training continued at step n has the rate of an undisturbed one at step n.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection
from typing import Any, NamedTuple

import torch
from torch import nn

from segstudy.config.recipes import Recipe, Schedule
from segstudy.core.errors import StudyError
from segstudy.runtime.uncompiled import leave_uncompiled

# The defaults of torch's OneCycleLR: where the rise starts, and where the fall ends below that start.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4
# One kernel for the whole step instead of a dozen per parameter. Fused steps are elementwise: same bits each run.
FUSED_ON = ("cpu", "cuda")


class FrozenParts(NamedTuple):
    """The parts of a network that do not learn in the first epochs."""

    weights: list[nn.Parameter]
    norms: list[nn.Module]  # their running statistics are frozen too


def build_optimizer(
    model: nn.Module, recipe: Recipe, device: torch.device | str, pretrained_names: Collection[str] = ()
) -> torch.optim.Optimizer:
    """Return the optimizer of a recipe over the parameters that learn (`requires_grad`).

    `adam` adds the weight decay to the gradient (L2), `adamw` shrinks the weights themselves (Loshchilov and
    Hutter 2019), `sgd` has classical momentum. The rate of each group is its `initial_lr`, which `set_lr` multiplies
    before every step. Parameters in `pretrained_names` form a group of their own whose rate is the recipe's
    `learning_rate` times `transfer.rate`.
    """
    trainable = _trainable(model)
    slower = [name for name in trainable if name in pretrained_names] if recipe.transfer.rate != 1 else []
    faster = [parameter for name, parameter in trainable.items() if name not in set(slower)]
    groups: list[dict[str, Any]] = [{"params": faster}] if faster else []
    if slower:
        rate = recipe.learning_rate * recipe.transfer.rate
        groups.append({"params": [trainable[name] for name in slower], "lr": rate})
    fused = torch.device(device).type in FUSED_ON
    rate, decay = recipe.learning_rate, recipe.weight_decay
    kind: Any = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimiser]
    kind = kind if recipe.compile else _without_compiler(kind)
    momentum = {"momentum": recipe.momentum} if recipe.optimiser == "sgd" else {}
    optimizer: torch.optim.Optimizer = kind(groups, lr=rate, weight_decay=decay, fused=fused, **momentum)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]  # as torch's own schedulers keep it
    return optimizer


def _without_compiler(kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """Return an optimizer class of torch that does not load torch's compiler; its steps are the same.

    torch's optimizers load it to take themselves out of what is compiled, at the start of every training (see
    `segstudy.runtime.uncompiled`; `step` in `torch.optim.optimizer`).
    """
    leave_uncompiled(*(method for method in vars(torch.optim.Optimizer).values() if inspect.isfunction(method)))
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {"step": step})


def set_lr(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rate of every group to its initial rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def highest_lr(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Return the highest learning rate of all groups in a step of this `factor`."""
    return max(group["initial_lr"] for group in optimizer.param_groups) * factor


def frozen_parts(model: nn.Module, recipe: Recipe, pretrained_names: Collection[str]) -> FrozenParts:
    """Return the parts that the recipe's `transfer.freeze` freezes: all pretrained tensors.

    Raises:
        StudyError: nothing else would be left to learn.
    """
    if not recipe.transfer.freeze:
        return FrozenParts([], [])
    trainable = _trainable(model)
    if trainable and all(name in pretrained_names for name in trainable):
        raise StudyError(
            f"nothing would learn in the first {recipe.transfer.freeze} epochs: every tensor was taken over",
            where="the recipe's transfer.freeze",
            remedy="set freeze: 0, or start_from: {take: encoder} to leave the way up to chance",
        )
    weights = [parameter for name, parameter in trainable.items() if name in pretrained_names]
    norms = [part for name, part in model.named_modules() if f"{name}.running_mean" in pretrained_names]
    return FrozenParts(weights, norms)


def set_frozen(parts: FrozenParts, frozen: bool) -> None:
    """Freeze the parts, or let them learn; to be called after `model.train()`.

    Frozen weights get no gradient, so that the optimizer has no moments of them either. Frozen normalisations work as
    in evaluation: moving statistics would change what the frozen weights were learned for.
    """
    for parameter in parts.weights:
        parameter.requires_grad_(not frozen)
    for norm in parts.norms:
        norm.train(not frozen)


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def learning_rate_factor(schedule: Schedule, step: int, epochs: int, steps_per_epoch: int) -> float:
    """Return the factor on the recipe's learning rate in optimizer step `step` (0 is the first).

    With t = step / (epochs * steps_per_epoch), the share of the training behind it:

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
