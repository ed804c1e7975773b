"""A network in numbers: its layer table, and its receptive field."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import nn

from segstudy.config.networks import NETWORKS
from segstudy.models.blocks import Stage
from segstudy.models.layer_trace import observed_stages
from segstudy.models.registry import build
from segstudy.models.unfilled import unfilled

STRIP = 16  # pixels across the strips on which receptive fields are measured

logger = logging.getLogger("segstudy")


def layer_table(settings: Mapping[str, Any], in_channels: int, outputs: int, height: int, width: int) -> pd.DataFrame:
    """Return the layer table of a network for one image, as a forward pass shows it.

    One row per layer in the order of execution: `name` (of the submodule), `kind`, `operation` (in words),
    `channels`, `height`, `width` (of the feature map it puts out), `parameters`, `source` (the layer whose
    feature map enters too, for a skip). Sizes are those after padding; the last row is cropped back to the image.

    The pass runs on torch's meta device, where sizes cost neither time nor memory (see `cost.dry_run`).

    Raises:
        StudyError: if `settings` names no network or has unknown options.
    """
    network = unfilled(settings, in_channels, outputs)
    stages = observed_stages(network, in_channels, height, width)
    logger.info("%s at %dx%d: %d layers", settings["network"], height, width, len(stages))
    return pd.DataFrame(stages, columns=list(Stage._fields))


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


def field_words(settings: Mapping[str, Any], in_channels: int, outputs: int) -> tuple[int | None, str]:
    """Return the smaller side of a network's receptive field, None where it is unknown or unlimited, and both in words.

    Only layers of this project are known well enough to be opened for it.
    """
    if settings["network"] not in NETWORKS:
        return None, "not measured"
    # It hangs on the layers, not on how many channels they have; a narrow copy is measured in a moment.
    narrow = {**settings, "width": 1} if "width" in NETWORKS[settings["network"]][0].model_fields else settings
    field = receptive_field(build(narrow, in_channels, outputs), in_channels)
    return (min(field), f"{field[0]} × {field[1]}") if field else (None, "whole image")


def _open(network: nn.Module) -> nn.Module:
    """Return a copy in which every path from input to output carries a positive gradient."""
    opened = copy.deepcopy(network).cpu().double().eval()
    norms = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
    left_out = (*norms, nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.GELU)
    for parent in list(opened.modules()):
        for name, child in parent.named_children():
            if isinstance(child, left_out):
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


def _extent(network: nn.Module, in_channels: int, axis: int, largest: int) -> int | None:
    """Return how far the central output value sees along `axis`, doubling the image until the region ends in it."""
    length = 64
    while length <= largest:
        shape = [1, in_channels, STRIP, STRIP]
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
