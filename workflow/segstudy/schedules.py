"""The optimiser of a recipe, and its learning rate as a pure function of the step.

No scheduler object holds any state: a training continued at step n has the rate of an undisturbed one at step n.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from segstudy.config.recipes import Recipe, Schedule

# The defaults of torch's OneCycleLR: where the rise starts, and where the fall ends below that start.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4
# One kernel for the whole step instead of a dozen per parameter. Fused steps are elementwise: same bits each run.
FUSED_ON = ("cpu", "cuda")


def build_optimiser(network: nn.Module, recipe: Recipe, device: torch.device | str) -> torch.optim.Optimizer:
    """Return the optimiser of a recipe over the parameters that learn (`requires_grad`).

    `adam` adds the weight decay to the gradient (L2), `adamw` shrinks the weights themselves (Loshchilov and
    Hutter 2019), `sgd` has classical momentum. The rate in it is the recipe's `learning_rate`, to be multiplied by
    `learning_rate_factor` before every step.
    """
    parameters: Iterable[Tensor] = [p for p in network.parameters() if p.requires_grad]
    fused = torch.device(device).type in FUSED_ON
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=recipe.momentum, weight_decay=decay, fused=fused)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimiser]
    return kind(parameters, lr=rate, weight_decay=decay, fused=fused)


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
