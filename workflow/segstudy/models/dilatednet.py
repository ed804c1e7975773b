"""DilatedNet: no pooling; convolutions whose kernels are spread ever wider, at full resolution.

Sources: S1, exercise 5 ("in the first layer, we use dilation=1, the second layer uses dilation=2, and so on, until a
good part of the receptive field is reached") and S2 (dilation 1, 2, 4: receptive fields of 3, 7 and 15 pixels, while
the number of weights grows linearly); both after Yu and Koltun 2016 (arXiv:1511.07122).
"""

from __future__ import annotations

from torch import Tensor, nn

from segstudy.config.networks import DilatedNetOptions
from segstudy.models import blocks


class DilatedNet(nn.Module):
    """Convolutions with dilation 1, 2, 4, ... and a 1x1 head; `body.3` is dilated by 2^3."""

    head_tensors = ("head.",)  # and no way down: every layer sees the full resolution

    def __init__(self, options: DilatedNetOptions, in_channels: int, outputs: int) -> None:
        super().__init__()
        self.pad = blocks.Pad(1)
        self.body = nn.ModuleList(
            blocks.convolutions(
                options.convolutions,
                options.width if i else in_channels,
                options.width,
                options.normalisation,
                dilation=2**i,
                kind="dilated",
            )
            for i in range(options.depth)
        )
        self.head = blocks.head(options.width, outputs)
        self.crop = blocks.Crop()

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> logits (B, outputs, H, W), for any H, W >= 1."""
        maps = self.pad(images)
        for convolutions in self.body:
            maps = convolutions(maps)
        return self.crop(self.head(maps), images)
