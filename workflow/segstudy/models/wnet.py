"""W-Net: two chained small U-Nets; the second sees the image and the probabilities of the first.

Source: Galdran et al. 2022, "State-of-the-art retinal vessel segmentation with minimalistic models" (Scientific Reports
12, 6174): residual double convolutions, max-pooling, transposed convolutions up, and a loss on both outputs in
training; with the widths 8, 16, 32 it has 68,482 weights. Three things are simpler here: the skips are not
convolved on their way, the 1x1 convolution of a shortcut is not normalised, and normalisation stands before ReLU, as
in every network of this study. The second network is given the probability of the first rather than its logit. That
leaves 61,938 weights for a colour image and one output.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from segstudy.config.networks import WNetOptions
from segstudy.models import blocks
from segstudy.models.probabilities import probabilities
from segstudy.models.u_shape import UShape


class Residual(nn.Module):
    """Two 3x3 convolutions, and a 1x1 convolution around them that is added to what they put out."""

    def __init__(self, in_channels: int, channels: int, normalisation: str) -> None:
        super().__init__()
        self.convolutions = blocks.convolutions(2, in_channels, channels, normalisation)
        self.shortcut = nn.Conv2d(in_channels, channels, 1, bias=False)
        nn.init.kaiming_normal_(self.shortcut.weight, nonlinearity="linear")
        inner = self.convolutions[0].layer_words
        blocks.described(self, "conv", f"residual: 2 × ({inner}), 1×1 convolution around them")

    def forward(self, maps: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, channels, H, W)."""
        around: Tensor = self.shortcut(maps)
        return around + self.convolutions(maps)


class Probability(nn.Module):
    """Sigmoid of one logit, softmax over several: the output of the first network, in 0..1."""

    def forward(self, logits: Tensor) -> Tensor:
        """(B, K, H, W) -> (B, K, H, W)."""
        return probabilities(logits)

    def opened(self) -> nn.Module:
        """Return what stands for it when receptive fields are measured: a sum over a softmax has no gradient."""
        return nn.Identity()


def little_unet(options: WNetOptions, in_channels: int, outputs: int) -> UShape:
    """Return one of the two: residual blocks, 2x2 max-pooling down, transposed convolutions up, concatenated skips."""
    return UShape(options, in_channels, outputs, partial(Residual, normalisation=options.normalisation))


class WNet(nn.Module):
    """Two `little_unet`s, the second after the first; its logits are the network's."""

    encoder_tensors = ("first.encoder.", "first.bottom.", "second.encoder.", "second.bottom.")
    head_tensors = ("first.head.", "second.head.")

    def __init__(self, options: WNetOptions, in_channels: int, outputs: int) -> None:
        super().__init__()
        self.pad = blocks.Pad(2**options.depth)
        self.first = little_unet(options, in_channels, outputs)
        self.probability = blocks.described(Probability(), "probability", "sigmoid" if outputs == 1 else "softmax")
        self.join = blocks.described(blocks.Concat(), "concat", "image: copied and concatenated")
        self.second = little_unet(options, in_channels + outputs, outputs)
        self.crop = blocks.Crop()

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> logits (B, outputs, H, W) of the second network, for any H, W >= 1."""
        logits: Tensor = self.crop(self._both(images)[0], images)
        return logits

    def all_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the second and of the first network: a training has a loss on both."""
        second, first = self._both(images)
        return self.crop(second, images), self.crop(first, images)

    def _both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.pad(images)
        first = self.first(maps)
        # The image's type: under autocast the logits are bf16, the image is not.
        probability = self.probability(first).to(maps.dtype)
        return self.second(self.join(probability, maps)), first
