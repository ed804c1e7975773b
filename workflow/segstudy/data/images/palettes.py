"""What the index of a palette picture stands for: a colour, a grey value, the background, or nothing but itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def palette_of(image: Image.Image) -> NDArray[np.uint8]:
    """Return red, green, blue and opacity of each index of a picture of mode P, uint8 (256, 4); others are black."""
    table = Image.frombytes("P", (256, 1), bytes(range(256)))
    stored = (image.getpalette("RGB") or [])[: 3 * 256]
    table.putpalette(stored + [0] * (3 * 256 - len(stored)), "RGB")
    if "transparency" in image.info:  # one index, or the opacity of the first ones
        table.info["transparency"] = image.info["transparency"]
    return np.array(table.convert("RGBA"))[0]


def grey_of_gif(image: Image.Image) -> Image.Image:
    """Return a GIF whose palette is grey as the grey picture (mode L) that it is; every other picture as it is.

    GIF has no grey pictures: programs store the values of one as a palette, in an order of their own and without the
    values that the picture lacks. In other formats whoever wanted values has stored them, and an index is one.
    """
    if image.format != "GIF" or image.mode != "P":
        return image
    stored = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    indices = np.asarray(image)
    used = np.unique(indices)
    greys = palette_of(image)[:, 0]
    if (stored != stored[:, :1]).any() or np.unique(greys[used]).size < used.size or (greys == greys[0]).all():
        return image  # colours, or so little told apart that only the index does
    grey = Image.fromarray(greys[indices])
    if (through := image.info.get("transparency", -1)) in used:
        grey.info["transparency"] = int(greys[through])
    return grey


def colours_in_use(image: Image.Image) -> dict[int, str]:
    """Return the colour '#rrggbb' of each index in use of a picture with a palette; nothing of other pictures.

    Programs that look for the colours of a picture number them anew, so that one index may be another class in the
    next file: every GIF, and PNG after Pillow's `quantize` or ImageMagick.
    """
    if image.mode != "P":
        return {}
    palette = palette_of(image)
    used = (index for index, pixels in enumerate(image.histogram()) if pixels)
    return {index: "#{:02x}{:02x}{:02x}".format(*palette[index, :3]) for index in used}


def no_background(palette: NDArray[np.uint8], used: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return for each of 256 indices whether it is none of the background, which is black, or else index 0.

    Programs that look for the colours of a picture number them in any order: black is then not index 0.

    Args:
        palette: as of `palette_of`.
        used: the indices in the picture.
    """
    coloured: NDArray[np.bool_] = palette[:, :3].max(axis=1) > 0
    return coloured if coloured[0] and not coloured[used].all() else np.arange(256) > 0
