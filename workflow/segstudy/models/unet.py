"""U-Net: an encoder-decoder whose encoder hands every level's feature map across to its twin in the decoder.

Source: Ronneberger, Fischer and Brox 2015 (arXiv:1505.04597). As in the exercises that this study follows (S0, S1),
convolutions keep the size and upsampling is nearest-neighbour, so that logits and image have one size. By options
it is the U-Net of double convolutions with bilinear or transposed upsampling (S4), and the variants without skips,
with smoothed skips and with dropout in the decoder (S3). S3 says that the average stands "after these connections";
here it smooths what comes through the connection, not what comes up beside it.
"""

from __future__ import annotations

from torch import Tensor, nn

from segstudy.config.networks import UNetOptions
from segstudy.models import blocks, resampling
from segstudy.models.blocks import Stage

# What `skips` makes of them: the join and its prediction.
JOINS = {
    "concat": (blocks.Concat, blocks.concat_stage),
    "smoothed": (resampling.SmoothedConcat, resampling.smoothed_concat_stage),
}


class UNet(nn.Module):
    """Per level: convolutions, then 2x2 max-pooling on the way down; upsampling, skip, convolutions up.

    Submodules are numbered by level, 0 being full resolution: `join.2` takes what `encoder.2` has put out. Without
    skips there is no `join`.
    """

    encoder_tensors = ("encoder.", "down.", "bottom.")
    head_tensors = ("head.",)

    def __init__(self, options: UNetOptions, in_channels: int, outputs: int) -> None:
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
        self.up = nn.ModuleList(resampling.upsample(options.up, widths[i + 1], widths[i]) for i in levels)
        self.join = nn.ModuleList(JOINS[options.skips][0]() for _ in levels if options.skips in JOINS)
        self.decoder = nn.ModuleList(
            blocks.convolutions(
                count,
                resampling.upsampled_channels(options.up, widths[i + 1], widths[i])
                + (widths[i] if options.skips in JOINS else 0),
                widths[i],
                normalisation,
                options.dropout,
            )
            for i in levels
        )
        self.head = blocks.head(widths[0], outputs)
        self.crop = blocks.Crop()

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> logits (B, outputs, H, W), for any H, W >= 1."""
        maps = self.pad(images)
        skips = []
        for convolutions, down in zip(self.encoder, self.down, strict=True):
            skips.append(convolutions(maps))
            maps = down(skips[-1])
        maps = self.bottom(maps)
        for i in reversed(range(len(self.up))):
            maps = self.up[i](maps)
            if self.join:
                maps = self.join[i](maps, skips[i])
            maps = self.decoder[i](maps)
        return self.crop(self.head(maps), images)


def plan(options: UNetOptions, in_channels: int, outputs: int, height: int, width: int) -> list[Stage]:
    """Return the layer table for one image of height x width, by arithmetic alone."""
    widths = blocks.level_widths(options.width, options.growth, options.depth)
    count, normalisation = options.convolutions, options.normalisation
    stages = [blocks.input_stage(in_channels, height, width, 2**options.depth)]
    skips = []
    for i in range(options.depth):
        stages += blocks.convolution_stages(f"encoder.{i}", stages[-1], count, widths[i], normalisation)
        skips.append(stages[-1])
        stages.append(blocks.pool_stage(f"down.{i}", stages[-1]))
    stages += blocks.convolution_stages("bottom", stages[-1], count, widths[-1], normalisation)
    for i in reversed(range(options.depth)):
        stages.append(resampling.upsample_stage(f"up.{i}", stages[-1], options.up, widths[i]))
        if options.skips in JOINS:
            stages.append(JOINS[options.skips][1](f"join.{i}", stages[-1], skips[i]))
        stages += blocks.convolution_stages(
            f"decoder.{i}", stages[-1], count, widths[i], normalisation, options.dropout
        )
    stages.append(blocks.head_stage("head", stages[-1], outputs))
    return [*stages, blocks.output_stage(stages[-1], height, width)]
