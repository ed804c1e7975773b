"""Encoder-decoder: down to a coarse feature map and up again, with nothing handed across.

Sources: the EncDec model of the exercises that this study follows; Badrinarayanan et al. 2017 for the family.
"""

from __future__ import annotations

from torch import Tensor, nn

from segstudy.config.networks import EncDecOptions
from segstudy.models import blocks
from segstudy.models.blocks import Stage


class EncDec(nn.Module):
    """Per level: convolutions, then 2x2 max-pooling on the way down; nearest upsampling, then convolutions up.

    Submodules are numbered by level, 0 being full resolution: `encoder.2` and `decoder.2` are twins.
    """

    encoder_tensors = ("encoder.", "down.", "bottom.")
    head_tensors = ("head.",)

    def __init__(self, options: EncDecOptions, in_channels: int, outputs: int) -> None:
        super().__init__()
        widths = blocks.level_widths(options.width, options.growth, options.depth)
        count, normalisation = options.convolutions, options.normalisation
        levels = range(options.depth)
        self.pad = blocks.Pad(2**options.depth)
        self.encoder = nn.ModuleList(
            blocks.convolutions(count, widths[i - 1] if i else in_channels, widths[i], normalisation) for i in levels
        )
        self.down = nn.ModuleList(blocks.pool() for _ in levels)
        self.bottom = blocks.convolutions(count, widths[-2], widths[-1], normalisation)
        self.up = nn.ModuleList(blocks.upsample() for _ in levels)
        self.decoder = nn.ModuleList(
            blocks.convolutions(count, widths[i + 1], widths[i], normalisation, options.dropout) for i in levels
        )
        self.head = blocks.head(widths[0], outputs)
        self.crop = blocks.Crop()

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> logits (B, outputs, H, W), for any H, W >= 1."""
        maps = self.pad(images)
        for convolutions, down in zip(self.encoder, self.down, strict=True):
            maps = down(convolutions(maps))
        maps = self.bottom(maps)
        for up, convolutions in zip(reversed(self.up), reversed(self.decoder), strict=True):
            maps = convolutions(up(maps))
        return self.crop(self.head(maps), images)


def plan(options: EncDecOptions, in_channels: int, outputs: int, height: int, width: int) -> list[Stage]:
    """Return the layer table for one image of height x width, by arithmetic alone."""
    widths = blocks.level_widths(options.width, options.growth, options.depth)
    count, normalisation = options.convolutions, options.normalisation
    stages = [blocks.input_stage(in_channels, height, width, 2**options.depth)]
    for i in range(options.depth):
        stages += blocks.convolution_stages(f"encoder.{i}", stages[-1], count, widths[i], normalisation)
        stages.append(blocks.pool_stage(f"down.{i}", stages[-1]))
    stages += blocks.convolution_stages("bottom", stages[-1], count, widths[-1], normalisation)
    for i in reversed(range(options.depth)):
        stages.append(blocks.upsample_stage(f"up.{i}", stages[-1]))
        stages += blocks.convolution_stages(
            f"decoder.{i}", stages[-1], count, widths[i], normalisation, options.dropout
        )
    stages.append(blocks.head_stage("head", stages[-1], outputs))
    return [*stages, blocks.output_stage(stages[-1], height, width)]
