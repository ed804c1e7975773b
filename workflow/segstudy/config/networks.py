"""Options of every network, and the registry that maps a `network:` key to its options and its class.

The classes are named by dotted path, not imported: reading a config must not import torch.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from segstudy.config.base import Options


class EncDecOptions(Options):
    """Encoder-decoder without skips (exercise 1 of the segmentation exercises)."""

    depth: int = Field(4, ge=1, le=7, description="number of poolings")
    width: int = Field(32, ge=1, le=1024, description="channels of the first level")
    growth: Literal[1, 2] = Field(2, description="factor on the channels from one level to the next")
    convolutions: int = Field(2, ge=1, le=4, description="3x3 convolutions at every level, down and up")
    normalisation: Literal["batch", "instance", "group", "none"] = "batch"
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="after every convolution of the decoder")


class UNetOptions(EncDecOptions):
    """U-Net: the encoder-decoder plus concatenated skips, same-size output."""


# One line a network: key -> (options, class).
NETWORKS: dict[str, tuple[type[Options], str]] = {
    "encdec": (EncDecOptions, "segstudy.models.encdec:EncDec"),
    "unet": (UNetOptions, "segstudy.models.unet:UNet"),
}
