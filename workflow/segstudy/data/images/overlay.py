"""Draw predicted regions on the picture, as outlines that are smooth at screen size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from segstudy.data.images.drawing import GAP, MARGIN, PAPER, Entries, legend, legend_height, outline
from segstudy.data.images.label_map import Colour

SMALLEST, LARGEST = 1200, 1600  # pixels of the longer side of an overlay
# Okabe and Ito's sky blue, brighter: it stands out on the reds and browns of tissue as on grey.
FOUND: Colour = (64, 224, 255)
EDGE: Colour = (245, 245, 245)  # of the field of view
TINT = 0.3


def overlay(
    image: np.ndarray,
    ids: np.ndarray,
    names: Sequence[str],
    colours: Sequence[Colour],
    inside: np.ndarray | None = None,
) -> Image.Image:
    """Return the picture with each region outlined; several classes are tinted in their colours, with a legend below.

    Args:
        image: uint8 (H, W, 3).
        ids: class of every pixel, uint8 (H, W); 0 is background and stays as it is.
        names: of the classes, background first.
        colours: of the classes.
        inside: bool (H, W), the field of view, outlined in white.
    """
    longer = max(image.shape[:2])
    factor = min(max(longer, SMALLEST), LARGEST) / longer
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    method = Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.LANCZOS
    picture = np.asarray(Image.fromarray(image).resize(size, method)).astype(np.float32)
    several = len(colours) > 2
    tints = colours if several else (colours[0], FOUND)
    present = np.unique(ids[ids > 0])
    for number in present:
        region = _resized(ids == number, size, factor)
        colour = np.array(tints[number], np.float32)
        if several:
            picture[region] = (1 - TINT) * picture[region] + TINT * colour
        picture[outline(region, 1)] = colour
    if inside is not None:
        picture[outline(_resized(inside, size, factor), 1)] = EDGE
    drawn = Image.fromarray(picture.round().clip(0, 255).astype(np.uint8))
    return _with_legend(drawn, [(names[number], colours[number]) for number in present]) if several else drawn


def _with_legend(picture: Image.Image, entries: Entries) -> Image.Image:
    height = legend_height(entries, picture.width - 2 * MARGIN)
    page = Image.new("RGB", (picture.width, picture.height + height + 2 * GAP), PAPER)
    page.paste(picture)
    legend(ImageDraw.Draw(page), picture.height + GAP, entries, picture.width - 2 * MARGIN)
    return page


def _resized(mask: np.ndarray, size: tuple[int, int], factor: float) -> np.ndarray:
    """Return a mask at another size, its border smooth instead of made of steps where it grows."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    if factor > 1:
        grey = grey.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(factor / 3))
    else:
        grey = grey.resize(size, Image.Resampling.BOX)
    return np.asarray(grey) > 127
