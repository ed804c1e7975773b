"""Compare size, colours and sharpness of a new image with the training images.

Predictions on images unlike the training images are unreliable, and probabilities do not show it. The comparison is
simple on purpose: mean and standard deviation of a few numbers over the training images, and a prediction interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from segstudy.data.images.geometry import Geometry

CHANNELS = {"rgb": ("red", "green", "blue"), "grey": ("grey",), "green": ("green",)}
# Chance that one number of an image of the same kind is called unlike, were the numbers normal: one in 10,000.
CHANCE = 1e-4
# Training images may differ by less than any camera does: below these standard deviations nothing is unlike.
FLOORS = {"mean": 0.02, "sd": 0.01, "colour": 0.02, "sharpness": 0.05}
# How much longer or shorter than every training image an image may be: where pixels are taken as they are, what is to
# be found changes its size with the image; where images are resized, it is their detail that gets lost.
RATIO_NATIVE, RATIO_RESIZED = 1.5, 3.0


def traits(pixels: np.ndarray, colour: str) -> dict[str, float]:
    """Return what is compared of an image: numbers by name.

    Per channel mean and standard deviation of the intensities in 0..1; of colour images the mean over pixels of the
    largest minus the smallest channel (0: a grey picture); and the sharpness, the common logarithm of the mean absolute
    difference of neighbouring pixels, over the mean of the channels.

    Args:
        pixels: uint8 (H, W, C), as the network sees them, without the padding of the canvas.
        colour: `rgb`, `grey` or `green`, what the channels are.
    """
    values = pixels.astype(np.float32) / 255
    numbers: dict[str, float] = {}
    for place, channel in enumerate(CHANNELS[colour]):
        numbers[f"mean {channel}"] = float(values[..., place].mean(dtype=np.float64))
        numbers[f"sd {channel}"] = float(values[..., place].std(dtype=np.float64))
    if colour == "rgb":
        numbers["colour"] = float(np.ptp(values, axis=2).mean(dtype=np.float64))
    grey = values.mean(axis=2)
    steps = [float(np.abs(np.diff(grey, axis=axis)).mean(dtype=np.float64)) for axis in (0, 1) if grey.shape[axis] > 1]
    numbers["sharpness"] = math.log10(max(1e-4, sum(steps) / max(1, len(steps))))
    return numbers


def summary(images: Iterable[tuple[np.ndarray, Geometry]], colour: str) -> dict[str, Any]:
    """Return what `unlike` compares new images with, as plain values.

    Args:
        images: of each training image the pixels without padding, and how it lies on its canvas.
        colour: what the channels are.
    """
    measured, sides = [], []
    for pixels, geometry in images:
        measured.append(traits(pixels, colour))
        sides.append(max(geometry.original_height, geometry.original_width))
    columns = {name: np.array([one[name] for one in measured]) for name in (measured[0] if measured else {})}
    return {
        "images": len(measured),
        "long_side": [min(sides), max(sides)] if sides else [],
        "traits": {
            name: {
                "mean": float(values.mean()),
                "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
                "low": float(values.min()),
                "high": float(values.max()),
            }
            for name, values in columns.items()
        },
    }


def unlike(pixels: np.ndarray, original: tuple[int, int], training: Mapping[str, Any], usage: Mapping[str, Any]) -> str:
    """Return in what an image differs from the training images; empty where it could be one of them.

    A number x of the image is unlike n training images of mean m and standard deviation s if |x - m| is more than
    t s sqrt(1 + 1/n), t being the quantile of Student's distribution with n - 1 degrees of freedom: the prediction
    interval of one more image, so that few training images raise few alarms; one of them says nothing. Sizes are
    compared by the longer side, and a picture without any colour is unlike training images that all have some.

    Args:
        pixels: uint8 (H, W, C), as the network sees them, without padding.
        original: (height, width) of the file.
        training: from `summary`.
        usage: `colour` and `size` of the data set.
    """
    words = [_size_words(max(original), training["long_side"], usage["size"] == "native")]
    values, n = traits(pixels, usage["colour"]), training["images"]
    if values.get("colour") == 0 and training["traits"]["colour"]["low"] > 0:
        words.append("a grey picture, the training images are in colour")
    if n < 2:
        return "; ".join(filter(None, words))
    from scipy.special import stdtrit

    reach = float(stdtrit(n - 1, 1 - CHANCE / 2)) * math.sqrt(1 + 1 / n)
    far = []
    for name, value in values.items():
        known = training["traits"][name]
        spread = max(known["sd"], FLOORS[name.partition(" ")[0]])
        distance = abs(value - known["mean"]) / spread
        if distance > reach:
            far.append((distance, _words(name, value, known)))
    return "; ".join(filter(None, [*words, *(text for _, text in sorted(far, reverse=True)[:3])]))


def _size_words(side: int, known: list[int], native: bool) -> str:
    ratio = RATIO_NATIVE if native else RATIO_RESIZED
    if not known or known[0] / ratio <= side <= known[1] * ratio:
        return ""
    span = f"{known[0]}" if known[0] == known[1] else f"{known[0]} to {known[1]}"
    return f"{side} pixels long, training images {span}"


def _words(name: str, value: float, known: Mapping[str, float]) -> str:
    kind, _, channel = name.partition(" ")
    more = value > known["mean"]
    how = {
        "mean": f"{'brighter' if more else 'darker'}, mean {channel}",
        "sd": f"{'more' if more else 'less'} contrast, sd {channel}",
        "colour": f"{'more' if more else 'less'} colourful, colour",
        "sharpness": f"{'sharper' if more else 'more blurred'}, sharpness",
    }[kind]
    return f"{how} {value:.3f} (training {known['low']:.3f} to {known['high']:.3f})"
