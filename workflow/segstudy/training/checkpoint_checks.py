"""Whether a saved state of a training is whole: every entry, of its type and shape, before any of it is taken over."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def problem_of(
    saved: Mapping[str, Any],
    fresh: Mapping[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, Tensor],
    columns: Sequence[str],
) -> str:
    """Return the first thing that is wrong with a saved state; '' if a training can go on from it.

    Args:
        fresh: the state of the same training before its first step, with entries `network`, `losses` and `task`.
        model: that learns, with its first weights.
        optimizer: of the training, before its first step.
        best: state dict of the network that is published.
        columns: of a row of the history.
    """
    return next(_problems(saved, fresh, model, optimizer, best, columns), "")


def _problems(
    saved: Mapping[str, Any],
    fresh: Mapping[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, Tensor],
    columns: Sequence[str],
) -> Iterator[str]:
    wanted = {*fresh, "optimiser"}
    if saved.keys() != wanted:
        yield from (f"it has no entry '{name}'" for name in sorted(wanted - saved.keys()))
        yield "it has entries of another version"
    for name, least in (("epoch", 1), ("step", 0), ("accumulate", 1)):
        if type(saved[name]) is not int or saved[name] < least:
            yield f"its entry '{name}' is no count"
    yield from _history(saved, columns)
    if saved["step"] > len(fresh["losses"]):
        yield "its entry 'step' lies beyond the end of an epoch"
    seconds = saved["seconds"]
    if (
        not _is_mapping(seconds)
        or seconds.keys() != fresh["seconds"].keys()
        or not all(map(_is_number, seconds.values()))
    ):
        yield "its entry 'seconds' is damaged"
    if not isinstance(saved["starts"], list) or not all(map(_is_mapping, saved["starts"])):
        yield "its entry 'starts' is damaged"
    yield from _tensors({"losses": saved["losses"]}, {"losses": fresh["losses"]}, "state")
    for name in ("network", "task"):
        yield from _tensors(saved[name], fresh[name], name)
    if saved["best"] or any(row["best"] for row in saved["history"]):
        yield from _tensors(saved["best"], best, "best")
    elif not _is_mapping(saved["best"]):
        yield "its entry 'best' is damaged"
    yield from _optimizer_state(saved["optimiser"], optimizer)
    yield from _moments_missing(saved, model, optimizer)


def _history(saved: Mapping[str, Any], columns: Sequence[str]) -> Iterator[str]:
    rows = saved["history"]
    if not isinstance(rows, list) or len(rows) != saved["epoch"] - 1:
        yield "its history is not that of the epochs it has done"
    for number, row in enumerate(rows, start=1):
        if not _is_mapping(row) or list(row) != list(columns) or not all(map(_is_number, row.values())):
            yield f"row {number} of its history is damaged"
        if row["epoch"] != number:
            yield f"row {number} of its history is that of another epoch"


def _tensors(saved: Any, wanted: Mapping[str, Tensor], name: str) -> Iterator[str]:
    if not _is_mapping(saved):
        yield f"its entry '{name}' holds no tensors"
        return
    if missing := [key for key in wanted if key not in saved]:
        yield f"its entry '{name}' lacks {len(missing)} of {len(wanted)} tensors, first {missing[0]}"
    if unknown := [key for key in saved if key not in wanted]:
        yield f"its entry '{name}' has a tensor that is unknown here: {unknown[0]}"
    for key, tensor in wanted.items():
        yield from _tensor(saved[key], tensor.shape, tensor.dtype, f"{name}: {key}")


def _tensor(saved: Any, shape: Sequence[int], dtype: torch.dtype, name: str) -> Iterator[str]:
    if not isinstance(saved, Tensor):
        yield f"{name} is no tensor"
    elif tuple(saved.shape) != tuple(shape) or saved.dtype != dtype:
        yield f"{name} is of another shape or type"


def _optimizer_state(saved: Any, optimizer: torch.optim.Optimizer) -> Iterator[str]:
    """Yield what is wrong with an optimiser's state dict: what it keeps of a parameter is whole, in its shape."""
    fresh = optimizer.state_dict()
    if not _is_mapping(saved) or saved.keys() != fresh.keys() or not _is_mapping(saved["state"]):
        yield "its entry 'optimiser' is damaged"
        return
    groups = saved["param_groups"]
    if not isinstance(groups, list) or not all(map(_is_mapping, groups)) or len(groups) != len(fresh["param_groups"]):
        yield "its entry 'optimiser' has other groups of parameters"
        return
    for group, fresh_group in zip(groups, fresh["param_groups"], strict=True):
        if group.keys() != fresh_group.keys() or group["params"] != fresh_group["params"]:
            yield "its entry 'optimiser' has other groups of parameters"
        # The learning rate is set anew before every step, `fused` may differ by device, and nothing else changes.
        settings = fresh_group.keys() - {"lr", "fused"}
        if any(group[key] != fresh_group[key] for key in settings) or not _is_number(group["lr"]):
            yield "its entry 'optimiser' has other settings"
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    expected = _moments_of(optimizer)
    for place, moments in saved["state"].items():
        if type(place) is not int or not 0 <= place < len(parameters):
            yield "its entry 'optimiser' has moments of an unknown parameter"
        if not _is_mapping(moments) or moments.keys() != expected.keys():
            yield f"its entry 'optimiser' lacks moments of parameter {place}"
        for key, like in expected.items():
            shape = parameters[place].shape if like.dim() else ()
            yield from _tensor(moments[key], shape, like.dtype, f"optimiser: {key} of parameter {place}")


def _moments_missing(saved: Mapping[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[str]:
    """Yield the parameters that have learned and of which the optimiser keeps nothing.

    A parameter that has had no gradient yet (frozen, or used nowhere) has no moments, and its first value.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for place, parameter in enumerate(parameters if _moments_of(optimizer) else []):
        name = names[id(parameter)]
        if place not in saved["optimiser"]["state"] and not torch.equal(
            saved["network"][name], parameter.detach().cpu()
        ):
            yield f"its entry 'optimiser' has no moments of {name}"


def _moments_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return what the optimiser keeps of a parameter after a step, of a small one as an example."""
    example = nn.Parameter(torch.zeros(2))
    example.grad = torch.zeros(2)
    settings = {key: value for key, value in optimizer.param_groups[0].items() if key != "params"}
    optimizer_class: Any = type(optimizer)
    other = optimizer_class([{"params": [example], **settings}])
    other.step()
    return {key: value for key, value in other.state[example].items() if isinstance(value, Tensor)}


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and not (isinstance(value, float) and math.isinf(value))
    )
