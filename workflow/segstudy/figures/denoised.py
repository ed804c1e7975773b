"""Images before noise, with it, and after a network has removed it, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segstudy.figures import tiles
from segstudy.figures.tiles import GAP, INK, LINE, MARGIN, MUTED, PAPER, TEXT, TITLE, WARN
from segstudy.files import atomic_path

HEADS = ("clean", "with noise", "noise removed")
UNITS = {"gaussian": "standard deviation", "salt_and_pepper": "share of the pixels", "speckle": "standard deviation"}


class Shown(NamedTuple):
    """One image and one kind of noise: pictures float32 (H, W, C) in 0..1 in the order of HEADS."""

    sample: str
    kind: str
    level: float
    pictures: tuple[np.ndarray, np.ndarray, np.ndarray]
    before: tuple[float, float]  # PSNR, SSIM of the noisy image
    after: tuple[float, float]


def draw_denoised(shown: Sequence[Shown], png: str | Path, *, title: str, phantom: bool = False) -> None:
    """Draw a row of three pictures for each image and kind of noise, the kinds one after the other.

    Args:
        shown: at least one.
        png: where the figure goes.
        title: what is shown, for the head of the page.
        phantom: whether the images are drawn stand-ins: the figure then says PHANTOM.
    """
    ordered = [row for kind in dict.fromkeys(row.kind for row in shown) for row in shown if row.kind == kind]
    sizes = [tiles.tile_size(row.pictures[0].shape) for row in ordered]
    column = max(width for width, _ in sizes)
    large, small = ImageFont.load_default(TITLE), ImageFont.load_default(TEXT)
    title = f"PHANTOM data: {title}" if phantom else title
    across = round(max(len(HEADS) * (column + GAP) - GAP, large.getlength(title)))
    head = 2 * TITLE + LINE
    kinds = len({row.kind for row in ordered})
    tall = head + kinds * 2 * LINE + sum(height + LINE + GAP for _, height in sizes) + 2 * MARGIN
    page = Image.new("RGB", (across + 2 * MARGIN, tall), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, WARN if phantom else INK, font=large)
    for i, words in enumerate(HEADS):
        draw.text((MARGIN + i * (column + GAP), MARGIN + 2 * TITLE), words, MUTED, font=small)
    top, last = MARGIN + head, ""
    for row, size in zip(ordered, sizes, strict=True):
        if row.kind != last:
            words = f"{row.kind.replace('_', ' ')}, {UNITS[row.kind]} {row.level:.3g}"
            draw.text((MARGIN, top + LINE // 2), words, INK, font=small)
            top, last = top + 2 * LINE, row.kind
        below = (row.sample, *(f"PSNR {psnr:.1f} dB, SSIM {ssim:.3f}" for psnr, ssim in (row.before, row.after)))
        for i, (picture, words) in enumerate(zip(row.pictures, below, strict=True)):
            left = MARGIN + i * (column + GAP)
            page.paste(_picture(picture, size), (left, top))
            draw.text((left, top + size[1] + 4), tiles.fitting(words, small, column), MUTED, font=small)
        top += size[1] + LINE + GAP
    page = tiles.watermarked(page) if phantom else page
    with atomic_path(png) as temporary:
        page.save(temporary, format="PNG")


def _picture(image: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Return an image (H, W, C) at the size of a tile, one channel as grey."""
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    whole = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return whole.convert("RGB").resize(size, tiles.resampling(image.shape, size))
