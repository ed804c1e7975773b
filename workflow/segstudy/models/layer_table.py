"""What a network is in numbers: layer table, parameters, FLOPs, receptive field - predicted, and seen to be so."""

from __future__ import annotations

import copy
import importlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from segstudy.models.blocks import Stage
from segstudy.models.cost import count_parameters
from segstudy.models.layer_trace import observed_stages
from segstudy.models.registry import build, network_module, resolve

logger = logging.getLogger("segstudy")

# A feature map, or weights, beyond this many values (half a GiB in float32) are checked by size alone: see
# `layer_table`.
LARGEST_COMPUTED = 2**27


class LayerTableError(AssertionError):
    """A network's plan and its forward pass disagree: a defect of the network's module, not of a config."""


def layer_table(settings: Mapping[str, Any], in_channels: int, outputs: int, height: int, width: int) -> pd.DataFrame:
    """Return the layer table of a network for one image, predicted from options and checked in a forward pass.

    One row per layer in the order of execution: `name` (of the submodule), `kind`, `operation` (in words),
    `channels`, `height`, `width` (of the feature map it puts out), `parameters`, `source` (the layer whose
    feature map enters too, for a skip). Sizes are those after padding; the last row is cropped back to the image.

    The network runs on a blank image on the CPU; if one of its feature maps or its weights would hold more than
    `LARGEST_COMPUTED` values, on torch's meta device: the same forward pass, computing sizes and nothing else.

    A network without a plan (one of a library) has the rows that its forward pass shows, see `models.observed`.

    Raises:
        StudyError: if `settings` names no network or has unknown options.
        LayerTableError: if forward pass and prediction differ in any layer, or a layer is missing.
    """
    if not has_plan(settings):
        observed = observed_stages(build(settings, in_channels, outputs), in_channels, height, width)
        logger.info("%s at %dx%d: %d layers seen", settings["network"], height, width, len(observed))
        return pd.DataFrame(observed, columns=list(Stage._fields))
    stages = plan(settings, in_channels, outputs, height, width)
    largest_map = max(stage.channels * stage.height * stage.width for stage in stages)
    computed = max(largest_map, sum(stage.parameters for stage in stages)) <= LARGEST_COMPUTED
    with torch.device("cpu" if computed else "meta"):
        network = build(settings, in_channels, outputs)
    seen = measure(network, in_channels, height, width)
    _check(stages, seen, count_parameters(network))
    logger.info(
        "%s at %dx%d: %d layers as predicted%s",
        settings["network"],
        height,
        width,
        len(stages),
        "" if computed else " (sizes only: too large to compute here)",
    )
    return pd.DataFrame(stages, columns=list(Stage._fields))


def has_plan(settings: Mapping[str, Any]) -> bool:
    """Return whether a network's layers are predicted from its options; else they are read from a forward pass."""
    return hasattr(importlib.import_module(network_module(str(settings["network"]))), "plan")


def plan(settings: Mapping[str, Any], in_channels: int, outputs: int, height: int, width: int) -> list[Stage]:
    """Return a network's predicted layers for one image of height x width; builds and runs nothing.

    Raises:
        StudyError: if `settings` names no network or has unknown options.
    """
    kind, options = resolve(settings)
    module = importlib.import_module(network_module(kind))
    stages: list[Stage] = module.plan(options, in_channels, outputs, height, width)
    return stages


def measure(network: nn.Module, in_channels: int, height: int, width: int) -> pd.DataFrame:
    """Return the feature map that every submodule put out in a forward pass of one blank image.

    Columns `name`, `module` (class), `leaf`, `channels`, `height`, `width`, `parameters`; one row per call, in
    the order in which the calls ended; the network itself comes last, under an empty name. Runs in evaluation
    mode, without gradient, on the network's device, and leaves the network as it was.
    """
    rows: list[dict[str, Any]] = []

    def record(name: str, module: nn.Module, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4:
            _, channels, high, wide = output.shape
            rows.append(
                {
                    "name": name,
                    "module": type(module).__name__,
                    "leaf": not any(module.children()),
                    "channels": channels,
                    "height": high,
                    "width": wide,
                    "parameters": count_parameters(module),
                }
            )

    hooks = [
        module.register_forward_hook(lambda module, _, output, name=name: record(name, module, output))
        for name, module in network.named_modules()
    ]
    try:
        with _evaluating(network), torch.no_grad():
            network(_blank(network, in_channels, height, width))
    finally:
        for hook in hooks:
            hook.remove()
    return pd.DataFrame(rows)


def receptive_field(network: nn.Module, in_channels: int, largest: int = 4096) -> tuple[int, int] | None:
    """Return (height, width) of the input region that can change the central output value, exactly.

    Measured by the gradient of that value with respect to the input, on a copy in which nothing can hide a path:
    all weights positive and equal, no activation, max-pooling replaced by average pooling, normalisation left out
    (that of `batch` is a fixed scale in evaluation; that of `instance` and `group` looks at the whole image, which
    this figure does not count), a layer with a method `opened` replaced by what that returns. Height and width are
    measured on two narrow strips, each long enough that the region ends within it. None if it does not end within
    `largest` pixels.

    Where upsampling repeats pixels, neighbours of the central pixel see regions a few pixels larger or smaller.
    """
    open_copy = _open(network)
    extents = [_extent(open_copy, in_channels, axis, largest) for axis in (2, 3)]
    return None if None in extents else (extents[0], extents[1])  # type: ignore[return-value]


def _check(stages: list[Stage], seen: pd.DataFrame, parameters: int) -> None:
    """Raise `LayerTableError` naming every difference between a plan and what a forward pass has shown."""
    runs = {name: rows for name, rows in seen.reset_index(drop=True).groupby("name")}
    problems = []
    last = -1
    for stage in stages:
        rows = runs.get(stage.name)
        if rows is None or len(rows) > 1:
            problems.append(f"{stage.name}: planned once, ran {0 if rows is None else len(rows)} times")
            continue
        found = tuple(int(rows[column].iloc[0]) for column in ("channels", "height", "width", "parameters"))
        expected = (stage.channels, stage.height, stage.width, stage.parameters)
        if found != expected:
            problems.append(f"{stage.name}: planned {_words(*expected)}, forward pass {_words(*found)}")
        if rows.index[0] < last:
            problems.append(f"{stage.name}: ran earlier than planned")
        last = max(last, int(rows.index[0]))
    prefixes = tuple(f"{stage.name}." for stage in stages)
    names = {stage.name for stage in stages}
    problems += [
        f"{name}: ran, but is not planned"
        for name in seen.loc[seen["leaf"], "name"]
        if name not in names and not name.startswith(prefixes)
    ]
    total = sum(stage.parameters for stage in stages)
    if total != parameters:
        problems.append(f"parameters: planned {total}, the network has {parameters}")
    returned = tuple(int(seen[column].iloc[-1]) for column in ("channels", "height", "width"))
    if returned != stages[-1][3:6]:
        problems.append(f"output: planned {stages[-1][3:6]}, the network returns {returned}")
    if problems:
        raise LayerTableError("layer table and forward pass differ:\n  " + "\n  ".join(problems))


def _words(channels: int, height: int, width: int, parameters: int) -> str:
    return f"{channels} x {height} x {width} ({parameters} parameters)"


def _blank(network: nn.Module, in_channels: int, height: int, width: int) -> Tensor:
    like = next(network.parameters(), torch.empty(0))
    return torch.zeros(1, in_channels, height, width, device=like.device, dtype=like.dtype)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _open(network: nn.Module) -> nn.Module:
    """Return a copy in which every path from input to output carries a positive gradient."""
    opened = copy.deepcopy(network).cpu().double().eval()
    through = (
        nn.modules.batchnorm._NormBase,
        nn.GroupNorm,
        nn.LayerNorm,
        nn.ReLU,
        nn.LeakyReLU,
        nn.SiLU,
        nn.GELU,
    )
    for parent in list(opened.modules()):
        for name, child in parent.named_children():
            if isinstance(child, through):
                setattr(parent, name, nn.Identity())
            elif isinstance(child, nn.MaxPool2d):
                average = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(parent, name, average)
            elif opened_layer := getattr(child, "opened", None):  # a layer that says itself how
                setattr(parent, name, opened_layer())
    for module in opened.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            # 1 / fan-in keeps values near one however deep the network is.
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    return opened.requires_grad_(False)


def _extent(network: nn.Module, in_channels: int, axis: int, largest: int, strip: int = 16) -> int | None:
    """Return how far the central output value sees along `axis`, doubling the image until the region ends in it."""
    length = 64
    while length <= largest:
        shape = [1, in_channels, strip, strip]
        shape[axis] = length
        image = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        output = network(image)
        output[0, :, output.shape[2] // 2, output.shape[3] // 2].sum().backward()
        assert image.grad is not None
        reached = image.grad[0].sum(0).sum(3 - axis).nonzero().flatten().tolist()
        if reached and reached[0] > 0 and reached[-1] < length - 1:
            return int(reached[-1] - reached[0] + 1)
        length *= 2
    return None
