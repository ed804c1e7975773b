"""Receptive field of a network by arithmetic on its options, without torch, for plans and warnings.

`models.layer_table.receptive_field` measures it on a built network; a test holds one against the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segstudy.study.dataset_size import canvas_of

if TYPE_CHECKING:
    import pandas as pd

LEVELLED = ("encdec", "unet", "unet2", "unet_valid", "segnet", "wnet")
MIDDLE = 2**20  # an output pixel, wherever it lies in windows of pooling: their sides divide it
Interval = tuple[int, int]  # first and last pixel


def receptive_field(model: Mapping[str, Any]) -> int | None:
    """Return the side in pixels of the square of the input that can change the central output value.

    The interval of pixels that a value depends on is followed back, layer by layer. None for networks that a library
    builds.

    Args:
        model: kind and options, as `Study.model_settings` resolves them.
    """
    kind = model["network"]
    seen = MIDDLE, MIDDLE
    if kind == "dilatednet":
        for level in range(model["depth"]):
            seen = _wider(seen, 2**level * model["convolutions"])
    elif kind in LEVELLED:
        for _ in range(2 if kind == "wnet" else 1):
            seen = _levels(seen, model)
    else:
        return None
    return seen[1] - seen[0] + 1


def _levels(seen: Interval, model: Mapping[str, Any]) -> Interval:
    """Return what an encoder and decoder looks at to put out the interval `seen`, by its coarsest path."""
    count, depth = model.get("convolutions", 2), model["depth"]
    beside = int(model["network"] == "unet2" or model.get("pool") == 3)  # pixels that a window of pooling adds
    for _ in range(depth):
        first, last = _wider(_wider(seen, count), int(model.get("up") == "bilinear"))  # between two coarse pixels
        seen = first // 2, last // 2
    if model["network"] != "segnet":  # which has no convolutions below its last pooling
        seen = _wider(seen, count)
    for _ in range(depth):
        first, last = seen
        seen = _wider((2 * first - beside, 2 * last + 1), count)
    return seen


def _wider(seen: Interval, pixels: int) -> Interval:
    """Return the interval with so many more pixels at both ends: a 3x3 convolution looks at one."""
    return seen[0] - pixels, seen[1] + pixels


def sizes_of(index: pd.DataFrame) -> list[tuple[int, int]]:
    """Return (width, height) of the labelled images of an index; of all where none is labelled."""
    labelled = index[index["mask"] != ""]
    rows = labelled if len(labelled) else index
    return [(int(width), int(height)) for width, height in zip(rows["width"], rows["height"], strict=True)]


def sight(
    dataset: str,
    networks: Mapping[str, Mapping[str, Any]],
    sizes: Sequence[tuple[int, int]],
    size: Any,
    objects: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Compare what an output pixel of each network sees with the median object; return the record of this check.

    To see less is a warning and no error: colour and texture may tell enough.

    Args:
        networks: kind and options of each network.
        sizes: (width, height) of the images.
        size: of the data set's block.
        objects: the card's; None where no mask has any.

    Returns:
        `findings` and `accepted` (empty), `warnings`; `span` of the median object in pixels of the canvas, and what
        each network sees of it (`fields`), None where that is not known.
    """
    span = objects["span"] * canvas_of(sizes, size)[1] if objects else None
    fields = {name: receptive_field(settings) for name, settings in networks.items()}
    warnings = [
        f"{name} on {dataset}: an output pixel sees {field}x{field} pixels, and the median object is {span:.0f} pixels "
        "long: a larger depth or a smaller size would show it whole"
        for name, field in fields.items()
        if field is not None and span is not None and field < span
    ]
    return {"findings": [], "accepted": [], "warnings": warnings, "span": span, "fields": fields}
