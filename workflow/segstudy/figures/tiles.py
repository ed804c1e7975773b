"""What pictures made of image tiles have in common: sizes, colours, outlines, the mark of drawn data.

Drawn with Pillow alone: importing matplotlib would take longer than the drawing.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 400  # pixels of the longer side of a tile
GAP, MARGIN = 16, 28
TITLE, TEXT = 30, 24  # sizes of letters: half of it is left where the page is 800 pixels wide
INK, MUTED, WARN, PAPER = (27, 31, 36), (91, 101, 112), (176, 0, 32), (255, 255, 255)

Colour = tuple[int, int, int]


def tile_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (width, height) of the tile of an array (height, width, ...): its longer side becomes SIDE."""
    factor = SIDE / max(shape[:2])
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))


def resampling(shape: tuple[int, ...], size: tuple[int, int]) -> Image.Resampling:
    """Return how an array (height, width, ...) is brought to `size`: averaged if that is smaller, else repeated."""
    return Image.Resampling.BOX if size[0] < shape[1] else Image.Resampling.NEAREST


def share(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the share of each display pixel that `mask` covers, float32 (h, w, 1): thin vessels fade, not vanish."""
    small = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, resampling(mask.shape, size))
    return np.asarray(small, np.float32)[..., None] / 255


def outline(labels: np.ndarray, width: int = 2) -> np.ndarray:
    """Return the pixels of each region of `labels` (0: none) within `width` of its border; a tile's edge is none."""
    padded = np.pad(labels, width, mode="edge")
    rows, columns = labels.shape
    places = [(0, width), (2 * width, width), (width, 0), (width, 2 * width)]
    differs = [padded[y : y + rows, x : x + columns] != labels for y, x in places]
    return np.logical_or.reduce(differs) & (labels != 0)


def legend(draw: ImageDraw.ImageDraw, top: float, entries: tuple[tuple[str, Colour], ...]) -> None:
    """Draw a line of coloured squares with their words, from the left margin on."""
    font, left = ImageFont.load_default(TEXT), float(MARGIN)
    for words, colour in entries:
        draw.rectangle([left, top + 4, left + TEXT, top + 4 + TEXT], fill=colour, outline=MUTED, width=2)
        draw.text((left + 1.5 * TEXT, top), words, INK, font=font)
        left += 3 * TEXT + font.getlength(words)


def watermarked(page: Image.Image) -> Image.Image:
    """Return `page` with PHANTOM across it: its images are drawn stand-ins."""
    veil = Image.new("RGBA", page.size, (0, 0, 0, 0))
    font = ImageFont.load_default(page.width / 7)
    centre = (page.width / 2, page.height / 2)
    ImageDraw.Draw(veil).text(centre, "PHANTOM", (*WARN, 45), font=font, anchor="mm")
    return Image.alpha_composite(page.convert("RGBA"), veil).convert("RGB")
