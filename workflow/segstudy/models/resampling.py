"""Ways down and up between levels that only some networks take, and skips that are smoothed on the way.

Nothing here needs an operation without a deterministic form on a GPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from segstudy.models import blocks


def strided(channels: int) -> nn.Conv2d:
    """Return a 3x3 convolution of stride 2, which halves an even size: a pooling that is learnt."""
    return blocks.linear(nn.Conv2d(channels, channels, 3, stride=2, padding=1), "down", "3×3 convolution, stride 2")


def transposed(in_channels: int, channels: int) -> nn.ConvTranspose2d:
    """Return a 2x2 transposed convolution of stride 2.

    Kernel and stride are equal, so that every output pixel is reached once: uneven coverage would show as lines.
    """
    convolution = nn.ConvTranspose2d(in_channels, channels, 2, stride=2)
    # An output value is a sum over the input channels alone; torch would count the kernel's pixels too.
    nn.init.normal_(convolution.weight, std=in_channels**-0.5)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return blocks.described(convolution, "up", "2×2 transposed convolution, stride 2")


def upsample(kind: str, in_channels: int, channels: int) -> nn.Module:
    """Return upsampling by 2: nearest, bilinear or transposed; `channels` come out of a transposed one alone."""
    if kind == "transposed":
        return transposed(in_channels, channels)
    return {"nearest": blocks.upsample, "bilinear": Bilinear}[kind]()


class Bilinear(nn.Module):
    """Bilinear upsampling by 2, as `interpolate(mode="bilinear", align_corners=False)` computes it.

    That function's backward pass is not deterministic on a GPU; sums of slices are. Along each axis every pixel becomes
    two, 3/4 of itself and 1/4 of its neighbour before or after it; at the border it is its own neighbour.
    """

    layer_kind, layer_words = "up", "bilinear upsampling ×2"

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2 H, 2 W), channels last in memory."""
        return _doubled(_doubled(maps.permute(0, 2, 3, 1), 1), 2).permute(0, 3, 1, 2)


def _doubled(maps: Tensor, axis: int) -> Tensor:
    length = maps.shape[axis]
    own, quarter = maps * 0.75, maps * 0.25
    before = torch.cat((quarter.narrow(axis, 0, 1), quarter.narrow(axis, 0, length - 1)), axis)
    after = torch.cat((quarter.narrow(axis, 1, length - 1), quarter.narrow(axis, length - 1, 1)), axis)
    return torch.stack((own + before, own + after), axis + 1).flatten(axis, axis + 1)


class SmoothedConcat(blocks.Concat):
    """Concatenate a skip that was averaged over 5x5 pixels: its fine texture stays behind.

    At the border only pixels of the map are averaged; zeros beyond it would darken it.
    """

    layer_words = "skip: smoothed by a 5×5 average, concatenated"

    def __init__(self) -> None:
        super().__init__()
        # Column by column, then row by row: the same average from 10 values instead of 25.
        self.smooth = nn.Sequential(
            nn.AvgPool2d((5, 1), 1, padding=(2, 0), count_include_pad=False),
            nn.AvgPool2d((1, 5), 1, padding=(0, 2), count_include_pad=False),
        )

    def forward(self, maps: Tensor, skip: Tensor) -> Tensor:
        """(B, C, H, W), (B, S, H, W) -> (B, S + C, H, W)."""
        return super().forward(maps, self.smooth(skip))
