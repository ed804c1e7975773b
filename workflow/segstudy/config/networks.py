"""Options of every network, and the registry that maps a `network:` key to its options and its class.

The classes are named by dotted path, not imported: reading a config must not import torch.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from segstudy.config.auto_keys import SHAPE, Plannable
from segstudy.config.base import Options, added_key
from segstudy.config.library_networks import EncoderUNetOptions, LibraryOptions, is_library


class LevelOptions(Plannable):
    """Options of all encoder-decoder networks."""

    PLANNED = SHAPE

    depth: int = Field(4, ge=1, le=7, description="number of poolings")
    width: int = Field(32, ge=1, le=1024, description="channels of the first level")
    growth: Literal[1, 2] = Field(2, description="factor on the channels from one level to the next")
    convolutions: int = Field(2, ge=1, le=4, description="3x3 convolutions at every level, down and up")
    normalisation: Literal["batch", "instance", "group", "none"] = "batch"
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="dropout after every convolution of the decoder")


class PooledOptions(LevelOptions):
    """Options of the encoder-decoder networks that pool."""

    pool: Literal[2, 3] = added_key(
        2, description="side of the max-pooling's window; its stride is 2, and 3 is padded by 1"
    )


class EncDecOptions(PooledOptions):
    """Encoder-decoder without skips (exercise 1 of the segmentation exercises)."""

    # Three networks are one module, `segstudy.models.unet`; these set them apart where the config does not choose.
    down: ClassVar[str] = "pool"
    up: ClassVar[str] = "nearest"
    skips: ClassVar[str] = "none"


class UNetOptions(PooledOptions):
    """U-Net: the encoder-decoder plus concatenated skips, same-size output."""

    down: ClassVar[str] = "pool"

    up: Literal["nearest", "bilinear", "transposed"] = Field(
        "nearest", description="upsampling by 2; transposed is learned and reduces to the channels of the finer level"
    )
    skips: Literal["concat", "none", "smoothed"] = Field(
        "concat", description="smoothed: averaged over 5x5 pixels before concatenation"
    )


class UNet2Options(LevelOptions):
    """U-Net with strided convolutions for pooling and transposed convolutions for upsampling."""

    down: ClassVar[str] = "strided"
    up: ClassVar[str] = "transposed"
    skips: ClassVar[str] = "concat"

    depth: int = Field(4, ge=1, le=7, description="number of strided convolutions")


class UNetValidOptions(LevelOptions):
    """The U-Net of 2015: valid convolutions on a mirrored border, cropped skips."""

    width: int = Field(64, ge=1, le=1024, description="channels of the first level")
    normalisation: Literal["batch", "instance", "group", "none"] = "none"


class SegNetOptions(LevelOptions):
    """Encoder-decoder whose decoder unpools with the indices of max-pooling."""


class DilatedNetOptions(Plannable):
    """Convolutions at full resolution with dilation 1, 2, 4, ..., no pooling."""

    PLANNED = SHAPE

    depth: int = Field(6, ge=1, le=10, description="number of dilations: 1, 2, 4, ... 2^(depth - 1)")
    width: int = Field(32, ge=1, le=1024, description="channels of every layer")
    convolutions: int = Field(1, ge=1, le=4, description="3x3 convolutions at every dilation")
    normalisation: Literal["batch", "instance", "group", "none"] = "batch"


class WNetOptions(Plannable):
    """Two small U-Nets of residual blocks in a row, trained with a loss on both outputs."""

    PLANNED = SHAPE

    depth: int = Field(2, ge=1, le=7, description="number of poolings in each of the two U-Nets")
    width: int = Field(8, ge=1, le=1024, description="channels of the first level")
    growth: Literal[1, 2] = Field(2, description="factor on the channels from one level to the next")
    normalisation: Literal["batch", "instance", "group", "none"] = "batch"


# One line a network: key -> (options, class).
NETWORKS: dict[str, tuple[type[Options], str]] = {
    "encdec": (EncDecOptions, "segstudy.models.unet:UNet"),
    "unet": (UNetOptions, "segstudy.models.unet:UNet"),
    "unet2": (UNet2Options, "segstudy.models.unet:UNet"),
    "unet_valid": (UNetValidOptions, "segstudy.models.unet_valid:UNetValid"),
    "segnet": (SegNetOptions, "segstudy.models.segnet:SegNet"),
    "dilatednet": (DilatedNetOptions, "segstudy.models.dilatednet:DilatedNet"),
    "wnet": (WNetOptions, "segstudy.models.wnet:WNet"),
}

# The same for networks that a library builds: their layers are read from a forward pass, not planned.
BORROWED: dict[str, tuple[type[Options], str]] = {
    "encoder_unet": (EncoderUNetOptions, "segstudy.models.encoder_unet:EncoderUNet"),
}
# The distributions whose version decides what these networks are.
BUILT_BY = {"encoder_unet": ("segmentation_models_pytorch", "torchvision", "timm")}
REGISTERED = ChainMap(BORROWED, NETWORKS)

# Every `network:` that is a path, module:class, is one of these.
LIBRARY: tuple[type[Options], str] = (LibraryOptions, "segstudy.models.library_network:LibraryNetwork")


def entry(kind: str) -> tuple[type[Options], str] | None:
    """Return options and class of a `network:`, or None where there is no such network."""
    return LIBRARY if is_library(kind) else REGISTERED.get(kind)


def block(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a network's options are validated from: a path belongs to the options of a library's network."""
    return {**options, "network": kind} if is_library(kind) else dict(options)
