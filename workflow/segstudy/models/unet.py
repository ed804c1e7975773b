"""U-Net, and what differs from it in an option: the encoder-decoder without skips (`encdec`) and U-Net 2 (`unet2`).

A U-Net is an encoder-decoder whose encoder hands every level's feature map across to its twin in the decoder.

Source: Ronneberger, Fischer and Brox 2015 (arXiv:1505.04597). As in the exercises that this study follows (S0, S1),
convolutions keep the size and upsampling is nearest-neighbour, so that logits and image have one size. By options
it is the U-Net of double convolutions with bilinear or transposed upsampling (S4), and the variants without skips,
with smoothed skips and with dropout in the decoder (S3). S3 says that the average stands "after these connections";
here it smooths what comes through the connection, not what comes up beside it.

U-Net 2 is S1, exercise 4: "Replace max-pooling by convolutions with stride=2, and replace upsampling by
transpose-convolutions also with stride=2." They stand where pooling and upsampling stood, with nothing after them. The
encoder-decoder is that of exercise 1, whose sheet pools 3x3 pixels (`pool: 3`); Badrinarayanan et al. 2017 for the
family.
"""

from __future__ import annotations

from functools import partial

from segstudy.config.networks import EncDecOptions, UNet2Options, UNetOptions
from segstudy.models import blocks, resampling
from segstudy.models.u_shape import FramedU

JOINS: dict[str, type[blocks.Concat]] = {"concat": blocks.Concat, "smoothed": resampling.SmoothedConcat}


class UNet(FramedU):
    """Per level: convolutions, then pooling (or a strided convolution) down; upsampling, skip, convolutions up."""

    def __init__(self, options: EncDecOptions | UNetOptions | UNet2Options, in_channels: int, outputs: int) -> None:
        unit = partial(blocks.convolutions, options.convolutions, normalisation=options.normalisation)
        join = JOINS.get(options.skips)
        pool = getattr(options, "pool", 2)  # U-Net 2 does not pool
        super().__init__(options, in_channels, outputs, unit, join, options.down, options.up, options.dropout, pool)
        self.pad, self.crop = blocks.Pad(2**options.depth), blocks.Crop()
