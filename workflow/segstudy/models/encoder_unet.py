"""U-Net on a ResNet or VGG encoder, optionally pretrained on ImageNet.

The network is `segmentation_models_pytorch.Unet`: the encoder's five resolutions, nearest upsampling, concatenated
skips, two 3x3 convolutions a level. Source of the idea: section 3.2 of the thesis that this study follows (ResNet34 in
the place of the encoder), and exercise 5 of the segmentation exercises (VGG-16).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segstudy.config.library_networks import EncoderUNetOptions
from segstudy.core.errors import StudyError
from segstudy.models import blocks, pretrained
from segstudy.models.torchvision_import import make_importable

logger = logging.getLogger("segstudy")

NORMALISATIONS = {"batch": "batchnorm", "instance": "instancenorm", "none": "identity"}
MULTIPLE = 32  # the encoders halve five times


class EncoderUNet(nn.Module):
    """`segmentation_models_pytorch.Unet` between a padding and a crop, so that it takes any image.

    It is randomly initialised; `load_pretrained` replaces the weights of the encoder. So a trained network is rebuilt
    from its own file alone.
    """

    encoder_tensors = ("unet.encoder.",)
    head_tensors = ("unet.segmentation_head.",)

    def __init__(self, options: EncoderUNetOptions, in_channels: int, outputs: int) -> None:
        super().__init__()
        self.encoder_name, self.in_channels = options.encoder, in_channels
        self.wants_pretrained = options.weights != "none"
        self.pad = blocks.Pad(MULTIPLE)
        self.unet = library().Unet(
            options.encoder,
            encoder_weights=None,
            decoder_channels=tuple(options.decoder_widths),
            decoder_use_norm=NORMALISATIONS[options.normalisation],
            in_channels=in_channels,
            classes=outputs,
        )
        self.crop = blocks.Crop()

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> logits (B, outputs, H, W), for any H, W >= 1."""
        return self.crop(self.unet(self.pad(images)), images)

    def load_pretrained(self, path: Path) -> pretrained.Pretrained:
        """Give the encoder the weights of a file; return how to scale images for them, and the entry of run.json.

        Raises:
            StudyError: the file does not hold exactly the tensors of this encoder.
        """
        weights = pretrained.read_weights(path, self.encoder_name, blank_encoder(self.encoder_name))
        first = next(name for name in weights.tensors if name.endswith(".weight"))
        tensors = weights.tensors | {first: pretrained.adapted(weights.tensors[first], self.in_channels)}
        nn.Module.load_state_dict(self.unet.encoder, tensors)
        values = sum(tensor.numel() for tensor in tensors.values())
        summary = (self.encoder_name, len(tensors), values / 1e6, path)
        logger.info("encoder %s starts from %d tensors, %.1f million values, of %s", *summary)
        facts = {"encoder": self.encoder_name, "origin": weights.origin, "tensors": len(tensors), "values": values}
        return pretrained.Pretrained(pretrained.adapted_scaling(weights, self.in_channels), facts)


def blank_encoder(name: str) -> dict[str, Tensor]:
    """Return the state dict of a new encoder for colour images; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        state: dict[str, Tensor] = library().encoders.get_encoder(name, in_channels=3, weights=None).state_dict()
    return state


def library() -> Any:
    """Return segmentation_models_pytorch, imported.

    Raises:
        StudyError: it is not installed.
    """
    make_importable()
    try:
        import segmentation_models_pytorch
    except ImportError as error:
        raise StudyError(
            f"segmentation_models_pytorch is not installed ({error})",
            where="network: encoder_unet",
            remedy="install the extra that brings it: pip install -c constraints.txt -e '.[encoders]'",
        ) from error
    return segmentation_models_pytorch
