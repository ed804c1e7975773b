"""Options of networks that come from installed libraries: U-Nets on a known encoder, and any network by its path."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from segstudy.config.base import Options
from segstudy.config.library_paths import places_in, refusal


class EncoderUNetOptions(Options):
    """U-Net with a ResNet or VGG encoder, optionally pretrained on ImageNet."""

    encoder: Literal[
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "vgg11",
        "vgg11_bn",
        "vgg13",
        "vgg13_bn",
        "vgg16",
        "vgg16_bn",
        "vgg19",
        "vgg19_bn",
    ] = "resnet34"
    weights: Literal["imagenet", "none"] = Field(
        "imagenet", description="initial weights of the encoder; images are normalised as these weights need it"
    )
    decoder_widths: list[int] = Field(
        [256, 128, 64, 32, 16],
        min_length=5,
        max_length=5,
        description="channels of the five decoder levels, coarsest first",
    )
    normalisation: Literal["batch", "instance", "none"] = Field(
        "batch", description="normalisation of the decoder; the encoder has its own"
    )

    @field_validator("decoder_widths")
    @classmethod
    def _positive(cls, widths: list[int]) -> list[int]:
        if min(widths) < 1:
            raise ValueError(f"decoder_widths are numbers of channels, all at least 1, found {widths}")
        return widths


class LibraryOptions(Options):
    """A network of an installed library, by its path and its arguments."""

    network: str = Field(description="module:class, such as monai.networks.nets:AttentionUnet")
    arguments: dict[str, Any] = Field(
        {}, description="arguments of the class, without those for the numbers of channels"
    )
    in_channels: str | None = Field(
        None, description="name of the argument for input channels; left out: the usual names are tried"
    )
    outputs: str | None = Field(
        None, description="name of the argument for output channels; left out: the usual names are tried"
    )
    divisor: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="images are padded to a multiple of this; left out: the smallest power of two that works",
    )

    @field_validator("network")
    @classmethod
    def _path(cls, path: str) -> str:
        if why := refusal(path):
            raise ValueError(why)
        return path

    @field_validator("arguments")
    @classmethod
    def _plain(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if found := next(places_in(arguments), ""):
            raise ValueError(
                f"{found}. Leave it out: arguments are numbers, switches and words, and weights learned before come "
                "from network: encoder_unet or from the recipe's start_from"
            )
        return arguments


def is_library(kind: str) -> bool:
    """Return whether a `network:` names a class of a library instead of a key of the registry."""
    return ":" in kind
