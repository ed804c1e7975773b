"""U-Net 2: a U-Net that learns how to go down and up, by strided and by transposed convolutions.

Source: S1, exercise 4: "Replace max-pooling by convolutions with stride=2, and replace upsampling by
transpose-convolutions also with stride=2." They stand where pooling and upsampling stood, with nothing after them;
the transposed ones narrow to the channels of the finer level, as in Ronneberger, Fischer and Brox 2015.
"""

from __future__ import annotations

from torch import Tensor, nn

from segstudy.config.networks import UNet2Options
from segstudy.models import blocks, resampling
from segstudy.models.blocks import Stage


class UNet2(nn.Module):
    """Per level: convolutions, then a strided one on the way down; a transposed one, skip, convolutions up.

    Submodules are numbered by level, 0 being full resolution: `join.2` takes what `encoder.2` has put out.
    """

    encoder_tensors = ("encoder.", "down.", "bottom.")
    head_tensors = ("head.",)

    def __init__(self, options: UNet2Options, in_channels: int, outputs: int) -> None:
        super().__init__()
        widths = blocks.level_widths(options.width, options.growth, options.depth)
        count, normalisation = options.convolutions, options.normalisation
        levels = range(options.depth)
        self.pad = blocks.Pad(2**options.depth)
        self.encoder = nn.ModuleList(
            blocks.convolutions(count, widths[i - 1] if i else in_channels, widths[i], normalisation) for i in levels
        )
        self.down = nn.ModuleList(resampling.strided(widths[i]) for i in levels)
        self.bottom = blocks.convolutions(count, widths[-2], widths[-1], normalisation)
        self.up = nn.ModuleList(resampling.transposed(widths[i + 1], widths[i]) for i in levels)
        self.join = nn.ModuleList(blocks.Concat() for _ in levels)
        self.decoder = nn.ModuleList(
            blocks.convolutions(count, 2 * widths[i], widths[i], normalisation, options.dropout) for i in levels
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
        for up, join, convolutions in zip(reversed(self.up), reversed(self.join), reversed(self.decoder), strict=True):
            maps = convolutions(join(up(maps), skips.pop()))
        return self.crop(self.head(maps), images)


def plan(options: UNet2Options, in_channels: int, outputs: int, height: int, width: int) -> list[Stage]:
    """Return the layer table for one image of height x width, by arithmetic alone."""
    widths = blocks.level_widths(options.width, options.growth, options.depth)
    count, normalisation = options.convolutions, options.normalisation
    stages = [blocks.input_stage(in_channels, height, width, 2**options.depth)]
    skips = []
    for i in range(options.depth):
        stages += blocks.convolution_stages(f"encoder.{i}", stages[-1], count, widths[i], normalisation)
        skips.append(stages[-1])
        stages.append(resampling.strided_stage(f"down.{i}", stages[-1]))
    stages += blocks.convolution_stages("bottom", stages[-1], count, widths[-1], normalisation)
    for i in reversed(range(options.depth)):
        stages.append(resampling.upsample_stage(f"up.{i}", stages[-1], "transposed", widths[i]))
        stages.append(blocks.concat_stage(f"join.{i}", stages[-1], skips.pop()))
        stages += blocks.convolution_stages(
            f"decoder.{i}", stages[-1], count, widths[i], normalisation, options.dropout
        )
    stages.append(blocks.head_stage("head", stages[-1], outputs))
    return [*stages, blocks.output_stage(stages[-1], height, width)]
