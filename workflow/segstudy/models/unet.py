"""U-Net, and what differs from it in an option: the encoder-decoder without skips (`encdec`) and U-Net 2 (`unet2`).

A U-Net is an encoder-decoder whose encoder hands every level's feature map across to its twin in the decoder.

Source: Ronneberger, Fischer and Brox 2015 (arXiv:1505.04597). As in the exercises that this study follows (S0, S1),
convolutions keep the size and upsampling is nearest-neighbour, so that logits and image have one size. By options
it is the U-Net of double convolutions with bilinear or transposed upsampling (S4), and the variants without skips,
with smoothed skips and with dropout in the decoder (S3). S3 says that the average stands "after these connections";
here it smooths what comes through the connection, not what comes up beside it.

U-Net 2 is S1, exercise 4: "Replace max-pooling by convolutions with stride=2, and replace upsampling by
transpose-convolutions also with stride=2." They stand where pooling and upsampling stood, with nothing after them. The
encoder-decoder is that of exercise 1; Badrinarayanan et al. 2017 for the family.
"""

from __future__ import annotations

from torch import Tensor, nn

from segstudy.config.networks import EncDecOptions, UNet2Options, UNetOptions
from segstudy.models import blocks, resampling

JOINS: dict[str, type[blocks.Concat]] = {"concat": blocks.Concat, "smoothed": resampling.SmoothedConcat}


class UNet(nn.Module):
    """Per level: convolutions, then pooling (or a strided convolution) down; upsampling, skip, convolutions up.

    Submodules are numbered by level, 0 being full resolution: `join.2` takes what `encoder.2` has put out. Without
    skips there is no `join`.
    """

    encoder_tensors = ("encoder.", "down.", "bottom.")
    head_tensors = ("head.",)

    def __init__(self, options: EncDecOptions | UNetOptions | UNet2Options, in_channels: int, outputs: int) -> None:
        super().__init__()
        widths = blocks.level_widths(options.width, options.growth, options.depth)
        count, normalisation = options.convolutions, options.normalisation
        levels = range(options.depth)
        self.pad = blocks.Pad(2**options.depth)
        self.encoder = nn.ModuleList(
            blocks.convolutions(count, widths[i - 1] if i else in_channels, widths[i], normalisation) for i in levels
        )
        self.down = nn.ModuleList(
            blocks.pool() if options.down == "pool" else resampling.strided(widths[i]) for i in levels
        )
        self.bottom = blocks.convolutions(count, widths[-2], widths[-1], normalisation)
        self.up = nn.ModuleList(resampling.upsample(options.up, widths[i + 1], widths[i]) for i in levels)
        self.join = nn.ModuleList(JOINS[options.skips]() for _ in levels if options.skips in JOINS)
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
