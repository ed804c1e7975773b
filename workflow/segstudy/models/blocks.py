"""Blocks of networks: padding, convolution units, resampling, joins.

Every block that is a row of a layer table says so itself (`described`): `segstudy.models.layer_trace` reads kind and
words from the module, and sizes from a forward pass.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

NORMALISATIONS = {"batch": "batch norm", "instance": "instance norm", "group": "group norm", "none": ""}


class Stage(NamedTuple):
    """One line of a layer table: a layer and the feature map it puts out for one image."""

    name: str  # of the submodule, as in `network.get_submodule(name)`
    kind: str  # input, conv, down, up, concat, head or output
    operation: str  # in words
    channels: int
    height: int
    width: int
    parameters: int
    source: str = ""  # name of the earlier stage whose feature map enters too (a skip)


Layer = TypeVar("Layer", bound=nn.Module)


def described(layer: Layer, kind: str, words: str) -> Layer:
    """Return the layer with the kind and the words of its row in a layer table; what is inside it gets no row."""
    layer.layer_kind, layer.layer_words = kind, words  # type: ignore[assignment]
    return layer


# Size: any image in, the same size out.


def padded_size(height: int, width: int, multiple: int) -> tuple[int, int]:
    """Return the smallest (height, width) that holds the image and divides by `multiple` at least twice.

    Twice, because the coarsest feature map would otherwise be able to shrink to one pixel, where batch and
    instance normalisation are undefined (a last batch of one small image would stop a training).
    """
    return max(2, math.ceil(height / multiple)) * multiple, max(2, math.ceil(width / multiple)) * multiple


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad (B, C, H, W) on all sides to `padded_size`: mirrored where the image is large enough, else its border.

    Only inputs are padded, never feature maps that need a gradient: the backward pass of reflection is not
    deterministic on a GPU.
    """
    height, width = images.shape[-2:]
    high, wide = padded_size(height, width, multiple)
    if (high, wide) == (height, width):
        return images
    top, left = (high - height) // 2, (wide - width) // 2
    bottom, right = high - height - top, wide - width - left
    mirrored = bottom < height and right < width
    return functional.pad(images, (left, right, top, bottom), mode="reflect" if mirrored else "replicate")


def mirrored_positions(before: int, length: int, total: int, device: torch.device) -> Tensor:
    """Return where each of `total` positions, `before` of them in front of the image, looks into the image.

    The image is continued by mirroring, repeatedly where it is small, its ends once each.
    """
    period = max(1, 2 * (length - 1))  # there and back
    position = (torch.arange(total, device=device) - before) % period
    return torch.minimum(position, period - position)


def crop_to(maps: Tensor, height: int, width: int) -> Tensor:
    """Undo `pad_to_multiple`: cut the central height x width out of (B, C, H, W)."""
    top, left = (maps.shape[-2] - height) // 2, (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]


class Pad(nn.Module):
    """`pad_to_multiple` as a layer, so that the padded size shows in the layer table."""

    layer_kind, layer_words = "input", "image"

    def __init__(self, multiple: int) -> None:
        super().__init__()
        self.multiple = multiple

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, padded H, padded W)."""
        return pad_to_multiple(images, self.multiple)


class Crop(nn.Module):
    """`crop_to` as a layer: the logits take the size of the images."""

    layer_kind, layer_words = "output", "logits"

    def forward(self, maps: Tensor, images: Tensor) -> Tensor:
        """(B, C, padded H, padded W), (B, any, H, W) -> (B, C, H, W)."""
        return crop_to(maps, images.shape[-2], images.shape[-1])


def level_widths(width: int, growth: int, depth: int) -> list[int]:
    """Return the channels of levels 0 (full resolution) to `depth` (coarsest)."""
    return [width * growth**level for level in range(depth + 1)]


def convolutions(
    count: int,
    in_channels: int,
    channels: int,
    normalisation: str,
    dropout: float = 0.0,
    dilation: int = 1,
    valid: bool = False,
    kind: str = "conv",
) -> nn.Sequential:
    """Return `count` units of 3x3 convolution, normalisation, ReLU and, if asked for, dropout.

    The size stays the same; with `valid` nothing is padded, and each unit takes `dilation` pixels off every side.
    Dropout is `nn.Dropout` (single values, not whole channels), after the ReLU of every unit. Weights are drawn
    after He et al. 2015, eq. 10 (`kaiming_normal_`); a convolution has no bias where a normalisation follows that
    has its own.
    """
    parts = [
        f"3×3 {'valid ' if valid else ''}convolution{f', dilation {dilation}' if dilation > 1 else ''}",
        NORMALISATIONS[normalisation],
        "ReLU",
        f"dropout {dropout:g}" if dropout else "",
    ]
    words = " + ".join(part for part in parts if part)
    units = []
    for index in range(count):
        convolution = nn.Conv2d(
            in_channels if index == 0 else channels,
            channels,
            3,
            padding=0 if valid else dilation,
            dilation=dilation,
            bias=normalisation == "none",
        )
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)
        layers = [convolution, *_normalisation(normalisation, channels), nn.ReLU(inplace=True)]
        unit = nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))
        units.append(described(unit, kind, words))
    return nn.Sequential(*units)


def _normalisation(kind: str, channels: int) -> list[nn.Module]:
    if kind == "batch":
        return [nn.BatchNorm2d(channels)]
    if kind == "instance":
        return [nn.InstanceNorm2d(channels, affine=True)]
    if kind == "group":
        return [nn.GroupNorm(math.gcd(8, channels), channels)]
    if kind == "none":
        return []
    raise ValueError(f"no normalisation '{kind}'; there are {', '.join(NORMALISATIONS)}")


def linear(convolution: nn.Conv2d, kind: str, words: str) -> nn.Conv2d:
    """Return a convolution that no activation follows, its weights drawn accordingly, its bias 0."""
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="linear")
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return described(convolution, kind, words)


def head(in_channels: int, outputs: int) -> nn.Conv2d:
    """Return the 1x1 convolution that turns features into logits."""
    return linear(nn.Conv2d(in_channels, outputs, 1), "head", "1×1 convolution")


def pool(window: int = 2) -> nn.Module:
    """Return max-pooling that halves the sides: of 2x2 pixels, or of 3x3 (padding 1), which overlap."""
    words = f"{window}×{window} max-pooling"
    layer = nn.MaxPool2d(window, stride=2, padding=window // 2 if window % 2 else 0)
    return described(layer, "down", words if window == 2 else f"{words}, stride 2")


def upsample() -> nn.Module:
    """Return nearest-neighbour upsampling by 2."""
    return described(nn.Upsample(scale_factor=2, mode="nearest"), "up", "nearest upsampling ×2")


class Concat(nn.Module):
    """Concatenate a skip with the decoder's feature map: the join that makes a U-Net."""

    layer_kind, layer_words = "concat", "skip: copied and concatenated"

    def forward(self, maps: Tensor, skip: Tensor) -> Tensor:
        """(B, C, H, W), (B, S, H, W) -> (B, S + C, H, W)."""
        joined: Tensor = _Join.apply(skip, maps)
        return joined


class _Join(torch.autograd.Function):
    """torch.cat along channels, whose gradients are whole tensors and not views of one.

    The values are the same. A channels-last gradient cut by channels is in neither order of memory, and what
    takes it next (the upsampling, the sum with the pooling's gradient) is up to ten times slower on it than the copy.
    """

    @staticmethod
    def forward(ctx: Any, skip: Tensor, maps: Tensor) -> Tensor:
        ctx.channels = [skip.shape[1], maps.shape[1]]
        return torch.cat((skip, maps), 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        last = grad.is_contiguous(memory_format=torch.channels_last)
        order = torch.channels_last if last else torch.contiguous_format
        return tuple(part.contiguous(memory_format=order) for part in grad.split(ctx.channels, 1))
