"""A network of an installed library, by its path: images of any size in, logits of that size out.

Images are padded to a size that the network takes, found by trying; its output is checked and cropped back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from segstudy.config.library_networks import LibraryOptions
from segstudy.core.errors import StudyError, first_line
from segstudy.models import blocks
from segstudy.models.library_class import construct

# Sizes that networks want images to be a multiple of: powers of two, as many as they halve.
TRIED = (1, 2, 4, 8, 16, 32, 64)
NOISE = 1000.0  # standard deviation, of images that are scaled to about 1

logger = logging.getLogger("segstudy")


class Unfit(Exception):
    """The network returns logits of another size than the image."""


class LibraryNetwork(nn.Module):
    """A library's network between a padding and a crop."""

    def __init__(self, options: LibraryOptions, in_channels: int, outputs: int) -> None:
        super().__init__()
        self.path, self.channels, self.outputs = options.network, in_channels, outputs
        self.network = construct(options, in_channels, outputs)
        self.pad = blocks.Pad(self._multiple(options.divisor))
        self.crop = blocks.Crop()
        if self._gives_probabilities():
            logger.warning(
                "%s gives values within 0..1 for any image: they look like probabilities, but a loss takes logits. "
                "Take the sigmoid or softmax at its end out, or every pixel may become object",
                self.path,
            )

    @property
    def encoder_tensors(self) -> tuple[str, ...]:
        """Beginnings of the names on the way down, where the library's class calls that part `encoder`."""
        return ("network.encoder.",) if isinstance(getattr(self.network, "encoder", None), nn.Module) else ()

    @property
    def head_tensors(self) -> tuple[str, ...]:
        """Beginnings of the names of the last layer, where it has a name in segmentation_models_pytorch."""
        return ("network.segmentation_head.",) if hasattr(self.network, "segmentation_head") else ()

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> logits (B, outputs, H, W), for any H, W >= 1."""
        padded = self.pad(images)
        try:
            logits = self._logits(padded)
        except Unfit as error:
            raise self._refused(str(error)) from error
        return self.crop(logits, images)

    def _logits(self, images: Tensor) -> Tensor:
        """Return the network's logits for images of a size that it takes.

        Raises:
            StudyError: it returns something else than one feature map of as many channels as there are outputs.
            Unfit: the logits have another size than the images.
        """
        logits = self.network(images)
        if isinstance(logits, Mapping) and "out" in logits:
            logits = logits["out"]  # torchvision's networks: beside it stand the logits of an auxiliary loss
        if isinstance(logits, list | tuple) and len(logits) == 1:
            logits = logits[0]
        if not isinstance(logits, Tensor) or logits.dim() != 4:
            what = f"{len(logits)} things" if isinstance(logits, list | tuple) else f"a {type(logits).__name__}"
            shape = f"{logits.dim()} axes" if isinstance(logits, Tensor) else what
            raise StudyError(
                f"{self.path} returns {shape} instead of one map of logits (batch, outputs, height, width)",
                where="the model's arguments",
                remedy="switch deep supervision and auxiliary outputs off: a loss here looks at one map of logits",
            )
        if logits.shape[1] != self.outputs:
            raise StudyError(
                f"{self.path} returns {logits.shape[1]} channels of logits, and the data set asks for {self.outputs}",
                where="the model's outputs",
                remedy="name the argument that sets the channels of its logits: outputs: <argument>",
            )
        if logits.shape[-2:] != images.shape[-2:]:
            sizes = [f"{shape[-2]} x {shape[-1]}" for shape in (logits.shape, images.shape)]
            raise Unfit(f"its logits are {sizes[0]} for an image of {sizes[1]}")
        return logits

    def _multiple(self, divisor: int | None) -> int:
        """Return the smallest multiple to pad images to, by trying; `divisor` is the only one tried where it is given.

        Two sizes are tried, in evaluation: twice the multiple in height and width, the smallest that `blocks.Pad`
        makes; and odd multiples of it that differ, so that a larger divisor would show.
        """
        last = ""
        for multiple in (divisor,) if divisor else TRIED:
            odd = max(3, 64 // multiple | 1)
            try:
                with _trying(self.network):
                    for height, width in ((2, 2), (odd, odd + 2)):
                        like = next(self.network.parameters(), torch.empty(0))
                        shape = (1, self.channels, height * multiple, width * multiple)
                        self._logits(torch.zeros(shape, device=like.device))
            except StudyError:
                raise
            except Exception as error:  # whatever a library says of a size that it does not take
                last = first_line(error)
            else:
                return multiple
        raise self._refused(last, divisor)

    def _gives_probabilities(self) -> bool:
        """Return whether the output stays within 0..1, and varies, for noise so strong that logits would not."""
        with _trying(self.network):
            side = max(2, 64 // self.pad.multiple) * self.pad.multiple
            noise = NOISE * torch.randn(1, self.channels, side, side)
            like = next(self.network.parameters(), torch.empty(0))
            logits = self._logits(noise.to(like.device))
        return not logits.is_meta and bool(0 <= logits.min() < logits.max() <= 1)

    def _refused(self, why: str, divisor: int | None = None) -> StudyError:
        return StudyError(
            f"{self.path} does not work on images of {self.channels} channels ({why})",
            where="the model's network",
            allowed="networks for images (batch, channels, height, width) of more than one size",
            remedy=f"images were padded to multiples of {divisor or f'{TRIED[0]} to {TRIED[-1]}'}: name another by "
            "divisor, or change the arguments",
        )


@contextmanager
def _trying(network: nn.Module) -> Iterator[None]:
    """Run `network` in evaluation mode, without gradient and without touching the global generator."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module, training in modes.items():
            module.training = training
