"""The original U-Net: valid convolutions on an image whose border is mirrored, and skips cut to size.

Source: Ronneberger, Fischer and Brox 2015 (arXiv:1505.04597). S2 asks why input and output differ in size and which
input pixel an output pixel belongs to: a valid 3x3 convolution takes one pixel off every side, and a coarse pixel p
stands for the pixels 2p and 2p + 1 on the way down (2x2 pooling) as on the way up (2x2 transposed convolution), so
the output is the centre of the input, pixel for pixel. Here the image is mirrored at its border until that
centre covers it, and the logits are cut to the image.
"""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor, nn

from segstudy.config.networks import UNetValidOptions
from segstudy.models import blocks
from segstudy.models.u_shape import FramedU


def valid_length(length: int, depth: int, convolutions: int) -> tuple[int, int]:
    """Return the smallest (input, output) length of the network, without padding, whose output is >= `length`.

    With d = `depth`, k = 2 * `convolutions` (pixels that the convolutions of one level cost) and m pixels after those
    of the coarsest level: the decoder puts out 2^d m - k (2^d - 1), the encoder needs k (3 * 2^d - 2) more. All
    pooled sizes are then even.
    """
    cost = 2 * convolutions
    coarsest = math.ceil((length + cost * (2**depth - 1)) / 2**depth)
    output = 2**depth * coarsest - cost * (2**depth - 1)
    return output + cost * (3 * 2**depth - 2), output


class MirrorPad(nn.Module):
    """Continue images by mirroring to the size whose valid output covers them; repeatedly where they are small."""

    layer_kind, layer_words = "input", "image, mirrored around {height} × {width}"

    def __init__(self, depth: int, convolutions: int) -> None:
        super().__init__()
        self.depth, self.convolutions = depth, convolutions

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, `valid_length` of H, of W), the image in the middle."""
        for axis in (2, 3):
            length = images.shape[axis]
            needed, output = valid_length(length, self.depth, self.convolutions)
            first = (needed - output) // 2 + (output - length) // 2  # as `crop_to` will cut the output
            images = images.index_select(axis, blocks.mirrored_positions(first, length, needed, images.device))
        return images


class CropConcat(blocks.Concat):
    """Concatenate the centre of a skip with the smaller feature map of the decoder."""

    layer_words = "skip: centre copied and concatenated"

    def forward(self, maps: Tensor, skip: Tensor) -> Tensor:
        """(B, C, H, W), (B, S, larger, larger) -> (B, S + C, H, W)."""
        return super().forward(maps, blocks.crop_to(skip, maps.shape[-2], maps.shape[-1]))


class UNetValid(FramedU):
    """Per level: valid convolutions, 2x2 max-pooling down; transposed convolution, cropped skip, convolutions up."""

    def __init__(self, options: UNetValidOptions, in_channels: int, outputs: int) -> None:
        count = options.convolutions
        unit = partial(blocks.convolutions, count, normalisation=options.normalisation, valid=True)
        super().__init__(options, in_channels, outputs, unit, CropConcat, dropout=options.dropout)
        self.pad, self.crop = MirrorPad(options.depth, count), blocks.Crop()
