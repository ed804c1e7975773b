"""SegNet: an encoder-decoder that remembers where each maximum was and puts values back there.

Sources: S2 ("transports pooling indices to the decoder to obtain better upsampling"); Badrinarayanan, Kendall and
Cipolla 2016 (arXiv:1511.00561). As there, the decoder mirrors the encoder, unpooled maps are sparse until the
convolutions after them fill them, and there is no level beyond the last pooling.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from segstudy.config.networks import SegNetOptions
from segstudy.models import blocks


class Maxima(nn.Module):
    """`maxima` as a layer, so that a layer table knows where its places come from."""

    layer_passes_on = True  # what it puts out is, to a layer table, its first input

    def forward(self, maps: Tensor, pooled: Tensor) -> Tensor:
        """(B, C, 2 H, 2 W), (B, C, H, W) -> booleans (B, C, 2 H, 2 W)."""
        return maxima(maps, pooled)


@torch.no_grad()
def maxima(maps: Tensor, pooled: Tensor) -> Tensor:
    """Return (B, C, H, W) booleans: which values of `maps` 2x2 max-pooling took; of equal ones the first.

    One per window, in reading order. Ties are the rule, not the exception: where ReLU left zeros.
    """
    places = maps == functional.interpolate(pooled, scale_factor=2, mode="nearest")
    taken = places[..., 0::2, 0::2].clone()
    for row, column in ((0, 1), (1, 0), (1, 1)):
        here = places[..., row::2, column::2]
        here &= ~taken
        taken |= here
    return places


class Unpool(nn.Module):
    """Put each value where pooling had found its maximum, zeros elsewhere: the inverse of 2x2 max-pooling.

    The values are those of `nn.MaxUnpool2d`, which has no deterministic form on a GPU.
    """

    layer_kind, layer_words = "up", "unpooling ×2, to the places of the maxima"

    def forward(self, maps: Tensor, places: Tensor) -> Tensor:
        """(B, C, H, W), booleans (B, C, 2 H, 2 W) -> (B, C, 2 H, 2 W)."""
        # A product, so that a NaN stays one.
        return functional.interpolate(maps, scale_factor=2, mode="nearest") * places

    def opened(self) -> nn.Module:
        """Return what stands for this layer where its receptive field is measured: values go to every place."""
        return _Everywhere()


class _Everywhere(nn.Module):
    def forward(self, maps: Tensor, _: Tensor) -> Tensor:
        return functional.interpolate(maps, scale_factor=2, mode="nearest")


class SegNet(nn.Module):
    """Per level: convolutions, then 2x2 max-pooling on the way down; unpooling, then convolutions on the way up.

    Submodules are numbered by level, 0 being full resolution: `up.2` undoes `down.2`. The first convolution of
    `decoder.2` narrows to the channels that `down.1` has put out.
    """

    encoder_tensors = ("encoder.",)
    head_tensors = ("head.",)

    def __init__(self, options: SegNetOptions, in_channels: int, outputs: int) -> None:
        super().__init__()
        widths = blocks.level_widths(options.width, options.growth, options.depth - 1)
        unit = partial(blocks.convolutions, options.convolutions, normalisation=options.normalisation)
        levels = range(options.depth)
        self.pad = blocks.Pad(2**options.depth)
        self.encoder = nn.ModuleList(unit(widths[i - 1] if i else in_channels, widths[i]) for i in levels)
        self.down = nn.ModuleList(blocks.pool() for _ in levels)
        self.places = Maxima()
        self.up = nn.ModuleList(Unpool() for _ in levels)
        self.decoder = nn.ModuleList(unit(widths[i], widths[max(i - 1, 0)], dropout=options.dropout) for i in levels)
        self.head = blocks.head(widths[0], outputs)
        self.crop = blocks.Crop()

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> logits (B, outputs, H, W), for any H, W >= 1."""
        maps = self.pad(images)
        places = []
        for convolutions, down in zip(self.encoder, self.down, strict=True):
            fine = convolutions(maps)
            maps = down(fine)
            places.append(self.places(fine, maps))
        for up, convolutions in zip(reversed(self.up), reversed(self.decoder), strict=True):
            maps = convolutions(up(maps, places.pop()))
        return self.crop(self.head(maps), images)
