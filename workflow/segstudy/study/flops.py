"""Cost of a network per pixel, computed from its options without torch, so that a plan of 10,000 cells is fast.

`models.cost` counts a built network exactly; this is for estimates before anything is built. For the package's own
networks it is within a quarter of that; for a library's network it is a constant, and a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from segstudy.runtime.resources import NetworkMemory

# Of a U-Net on an encoder with the decoder's usual widths: operations and values kept per pixel, and parameters, as
# `models.cost` counts them for 256x256 pixels.
ENCODERS = {
    "resnet18": (1.65e5, 320.0, 14.3e6),
    "resnet34": (2.38e5, 370.0, 24.4e6),
    "resnet50": (3.24e5, 660.0, 32.5e6),
    "resnet101": (4.72e5, 870.0, 51.5e6),
    "resnet152": (6.20e5, 1120.0, 67.2e6),
    "vgg": (7.55e5, 580.0, 23.7e6),
}
UNKNOWN = (1e6, 1000.0, 10e6)  # a network of a library: taken for a large one

OVERHEAD = 1.5  # of memory, as in `segstudy.runtime.memory`

# A second of a CPU core, where nothing was measured: it takes time for operations, and for values that go to memory and
# back, which narrow networks wait for. Fitted to nine networks of 6e3 to 8e5 operations a pixel that trained in bf16 on
# cores with AVX-512: mostly within 1.6 times on quiet cores, up to four times too fast a guess for busy ones.
# Of a GPU of some years ago on small images: operations alone, a careful guess.
CORE_OPERATIONS, CORE_VALUES = 1.5e11, 5e8
GPU_OPERATIONS = 3e12


class Cost(NamedTuple):
    """Per pixel of the network's input, but for the parameters; multiply-adds count as 2."""

    flops: float  # forward
    values: float  # kept for the backward pass
    parameters: float
    guess: bool  # a constant of the kind, not arithmetic on the options


class Convolution(NamedTuple):
    """One convolution: its kernel's side, channels in and out, and pixels of its output per pixel of the image."""

    kernel: int
    before: float
    after: float
    share: float


def network_cost(model: Mapping[str, Any], channels: int, outputs: int) -> Cost:
    """Return what a network costs.

    Args:
        model: kind and options, as `Study.model_settings` resolves them.
        outputs: logits of a pixel.
    """
    kind = model["network"]
    if kind == "encoder_unet":
        return Cost(*ENCODERS["vgg" if model["encoder"].startswith("vgg") else model["encoder"]], guess=True)
    if kind not in SHAPES:
        return Cost(*UNKNOWN, guess=True)
    layers = list(SHAPES[kind](model, channels, outputs))
    flops = sum(2 * c.kernel**2 * c.before * c.after * c.share for c in layers)
    parameters = sum(c.kernel**2 * c.before * c.after + c.after for c in layers)
    # Of each convolution: what goes in (joined with a skip, that is a copy), what normalisation and ReLU keep.
    normalised = model["normalisation"] != "none"
    kept = sum(c.after * c.share * (2 if normalised and c.kernel == 3 else 1) for c in layers)
    return Cost(flops, kept + sum(c.before * c.share for c in layers if c.before > c.after), parameters, guess=False)


def forward_seconds(cost: Cost, pixels: float, gpu: bool, threads: int = 1) -> float:
    """Return a guess of the seconds of a forward pass over so many pixels, on a GPU or on these cores."""
    if gpu:
        return cost.flops * pixels / GPU_OPERATIONS
    return (cost.flops / CORE_OPERATIONS + cost.values / CORE_VALUES) * pixels / threads


def guessed_memory(cost: Cost) -> NetworkMemory:
    """Return a careful guess of a network's memory in training, in fp32, on whatever device it is.

    That is what the backward pass needs of a pixel, and four values of each weight: itself, its gradient, and two
    averages of Adam. `models.step_memory` counts it, on tensors of torch.
    """
    return NetworkMemory(weights=16 * cost.parameters / 1e6, megapixel=OVERHEAD * 4 * cost.values)


def _levels(model: Mapping[str, Any], channels: int, outputs: int) -> Iterator[Convolution]:
    """Yield the convolutions of everything that goes down and up again: encoder-decoders and U-Nets."""
    kind, depth, count = model["network"], model["depth"], model.get("convolutions", 2)
    widths = [model["width"] * model["growth"] ** level for level in range(depth + 1)]
    joined = kind in ("unet", "unet2", "unet_valid", "wnet") and model.get("skips") != "none"
    transposed = kind in ("unet2", "unet_valid", "wnet") or model.get("up") == "transposed"
    for level, width in enumerate(widths):
        share = 0.25**level
        yield from _several(count, widths[level - 1] if level else channels, width, share)
        if level == depth:
            break
        if kind == "unet2":
            yield Convolution(3, width, width, share / 4)
        above = widths[level + 1]
        if transposed:
            yield Convolution(2, above, width, share / 4)  # every output pixel is reached by one of the four
        yield from _several(count, (width if transposed else above) + width * joined, width, share)
    yield Convolution(1, widths[0], outputs, 1)


def _segnet(model: Mapping[str, Any], channels: int, outputs: int) -> Iterator[Convolution]:
    widths = [model["width"] * model["growth"] ** level for level in range(model["depth"])]
    for level, width in enumerate(widths):
        yield from _several(model["convolutions"], widths[level - 1] if level else channels, width, 0.25**level)
        yield from _several(model["convolutions"], width, widths[max(level - 1, 0)], 0.25**level)
    yield Convolution(1, widths[0], outputs, 1)


def _dilated(model: Mapping[str, Any], channels: int, outputs: int) -> Iterator[Convolution]:
    yield from _several(model["depth"] * model["convolutions"], channels, model["width"], 1)
    yield Convolution(1, model["width"], outputs, 1)


def _two(model: Mapping[str, Any], channels: int, outputs: int) -> Iterator[Convolution]:
    yield from _levels(model, channels, outputs)
    yield from _levels(model, channels + outputs, outputs)


def _several(count: int, before: float, after: float, share: float) -> Iterator[Convolution]:
    for place in range(count):
        yield Convolution(3, after if place else before, after, share)


SHAPES = {
    **dict.fromkeys(("encdec", "unet", "unet2", "unet_valid"), _levels),
    "segnet": _segnet,
    "dilatednet": _dilated,
    "wnet": _two,
}
