"""Shared by pictures made of image tiles: sizes, colours, outlines, legends, the mark of drawn data.

Drawn with Pillow alone: importing matplotlib would take longer than the drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 400  # pixels of the longer side of a tile
GAP, MARGIN = 16, 28
TITLE, TEXT = 30, 24  # sizes of letters: half of it is left where the page is 800 pixels wide
LINE = round(1.5 * TEXT)
INK, MUTED, WARN, PAPER = (27, 31, 36), (91, 101, 112), (176, 0, 32), (255, 255, 255)

Colour = tuple[int, int, int]
Entries = Sequence[tuple[str, Colour]]
VOID: Colour = (170, 51, 119)  # Tol's purple, which every kind of colour vision tells from what else is drawn
VOID_ENTRY = ("void: counts for nothing", VOID)


def tile_size(shape: tuple[int, ...], side: int = SIDE) -> tuple[int, int]:
    """Return (width, height) of the tile of an array (height, width, ...): its longer side becomes `side`."""
    factor = side / max(shape[:2])
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))


def resampling(shape: tuple[int, ...], size: tuple[int, int]) -> Image.Resampling:
    """Return how an array (height, width, ...) is brought to `size`: averaged if that is smaller, else repeated."""
    return Image.Resampling.BOX if size[0] < shape[1] else Image.Resampling.NEAREST


def share(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the share of each display pixel that `mask` covers, float32 (h, w, 1): thin vessels fade, not vanish."""
    small = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, resampling(mask.shape, size))
    return np.asarray(small, np.float32)[..., None] / 255


def painted(picture: np.ndarray, void: np.ndarray | None) -> np.ndarray:
    """Return a picture float32 (h, w, 3) with VOID where `void` (H, W) is True; as it is without any."""
    if void is None:
        return picture
    covered = share(void, (picture.shape[1], picture.shape[0]))
    return picture * (1 - covered) + covered * np.array(VOID, np.float32)


def outline(labels: np.ndarray, width: int = 2) -> np.ndarray:
    """Return the pixels of each region of `labels` (0: none) within `width` of its border; a tile's edge is none."""
    padded = np.pad(labels, width, mode="edge")
    rows, columns = labels.shape
    places = [(0, width), (2 * width, width), (width, 0), (width, 2 * width)]
    differs = [padded[y : y + rows, x : x + columns] != labels for y, x in places]
    return np.logical_or.reduce(differs) & (labels != 0)


def flat(ids: np.ndarray, colours: Sequence[Colour], size: tuple[int, int]) -> np.ndarray:
    """Return class ids (H, W) as a picture float32 (h, w, 3) in the colours of the classes; nothing is blended."""
    small = np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))
    return np.array(colours, np.float32)[small]


def legend(draw: ImageDraw.ImageDraw, top: float, entries: Entries, width: float) -> None:
    """Draw coloured squares with their words, from the left margin on, in as many lines as `width` asks for."""
    font = ImageFont.load_default(TEXT)
    for i, line in enumerate(_legend_lines(entries, width)):
        left, upper = float(MARGIN), top + i * LINE
        for words, colour in line:
            draw.rectangle([left, upper + 4, left + TEXT, upper + 4 + TEXT], fill=colour, outline=MUTED, width=2)
            draw.text((left + 1.5 * TEXT, upper), words, INK, font=font)
            left += 3 * TEXT + font.getlength(words)


def legend_height(entries: Entries, width: float) -> int:
    """Return the height of the legend in pixels."""
    return len(_legend_lines(entries, width)) * LINE


def _legend_lines(entries: Entries, width: float) -> list[Entries]:
    font = ImageFont.load_default(TEXT)
    lines: list[list[tuple[str, Colour]]] = [[]]
    used = 0.0
    for entry in entries:
        needed = 1.5 * TEXT + font.getlength(entry[0])
        if lines[-1] and used + needed > width:
            lines.append([])
            used = 0.0
        lines[-1].append(entry)
        used += needed + 1.5 * TEXT
    return [*lines]


def fitting(name: str, font: Any, width: int) -> str:
    """Return `name`, or its end after three dots where it is longer than `width` pixels: ends tell samples apart."""
    if font.getlength(name) <= width:
        return name
    return next(f"...{name[i:]}" for i in range(1, len(name) + 1) if font.getlength(f"...{name[i:]}") <= width)


def watermarked(page: Image.Image) -> Image.Image:
    """Return `page` with PHANTOM across it: its images are drawn stand-ins."""
    veil = Image.new("RGBA", page.size, (0, 0, 0, 0))
    font = ImageFont.load_default(page.width / 7)
    centre = (page.width / 2, page.height / 2)
    ImageDraw.Draw(veil).text(centre, "PHANTOM", (*WARN, 45), font=font, anchor="mm")
    return Image.alpha_composite(page.convert("RGBA"), veil).convert("RGB")
