"""The best, the median and the worst test image of a cell, beside the truth and what the network made of them.

Drawn with Pillow alone: it runs once for every cell, and importing matplotlib would take longer than the drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from segstudy.errors import StudyError
from segstudy.files import atomic_path, read_csv
from segstudy.images import read_image, read_mask
from segstudy.metrics import per_image
from segstudy.truth import fits, truth_of

SIDE = 400  # pixels of the longer side of a tile
GAP, MARGIN = 16, 28
TITLE, TEXT = 30, 24  # sizes of letters: half of it is left where the page is 800 pixels wide
INK, MUTED, WARN, PAPER = (27, 31, 36), (91, 101, 112), (176, 0, 32), (255, 255, 255)
# White, and Okabe and Ito's orange and sky blue: told apart by every kind of colour vision.
TP, FP, FN, OUTLINE = (255, 255, 255), (230, 159, 0), (86, 180, 233), (240, 228, 66)
LEGEND = (("found (TP)", TP), ("false alarm (FP)", FP), ("missed (FN)", FN))
HEADS = ("image", "truth", "prediction", "overlay")


class Choice(NamedTuple):
    """A test image and why it is shown."""

    sample: str
    dice: float
    rank: str


def draw_gallery(
    counts: str | Path,
    masks: str | Path,
    index: str | Path,
    root: str | Path,
    png: str | Path,
    *,
    title: str,
    policy: str,
    region: str,
    phantom: bool = False,
) -> None:
    """Draw image, truth, prediction and their overlay for the best, the median and the worst test image by Dice.

    In the overlay, on the darkened image, white is found, orange a false alarm and blue missed; the field of view is
    outlined, and outside it nothing is coloured where it is the region that counts.

    Args:
        counts: `counts.csv` of the cell.
        masks: folder of the predicted masks, `<sample>.png` at the original size.
        index: `index.csv` of the data set.
        root: folder of the raw data.
        png: where the figure goes.
        title: what the cell is called.
        policy: threshold policy of the masks.
        region: `roi` or `full`, the region whose Dice ranks the images; images without a roi count in full.
        phantom: whether the images are drawn stand-ins: the figure then says PHANTOM.

    Raises:
        StudyError: if no test image was measured at `policy`, or a file is missing or of another size than its mask.
    """
    rows = {row["sample"]: row for row in read_csv(index).to_dict("records")}
    strips = []
    for choice in choose(read_csv(counts), policy, region, counts):
        value = "not defined" if np.isnan(choice.dice) else f"{choice.dice:.3f}"
        tiles = _tiles(rows[choice.sample], Path(masks) / f"{choice.sample}.png", Path(root), region)
        strips.append((f"{choice.rank}: {choice.sample}, Dice {value}", tiles))
    page = _page(f"PHANTOM data: {title}" if phantom else title, strips, phantom)
    with atomic_path(png) as temporary:
        page.save(temporary, format="PNG")


def choose(counts: pd.DataFrame, policy: str, region: str, where: object = "") -> list[Choice]:
    """Return the best, the median and the worst test image by Dice; fewer where there are fewer images.

    Images whose Dice is not defined (nothing there, nothing predicted) are shown only if no other is left.

    Raises:
        StudyError: if no test image was measured at `policy`.
    """
    test = counts[counts["subset"].eq("test") & counts["policy"].eq(policy)]
    has_region = test["region"].eq(region).groupby(test["sample"]).transform("any")
    test = test[test["region"].eq(region) | (test["region"].eq("full") & ~has_region)]
    if test.empty:
        raise StudyError(
            f"no test image was measured at threshold policy '{policy}'",
            where=where,
            allowed=", ".join(sorted(set(counts["policy"]))) or "nothing: the file is empty",
            remedy="give the split a test set, or measure the cell again",
        )
    dice = per_image(test).groupby("sample", sort=False)["dice"].mean()
    ranked = dice.dropna().sort_values(ascending=False, kind="stable")
    if ranked.empty:
        return [Choice(str(dice.index[0]), float("nan"), "no image with a Dice")]
    places = {0: "best", len(ranked) // 2: "median", len(ranked) - 1: "worst"}
    if len(ranked) < 3:
        places = {0: "best", len(ranked) - 1: "worst"} if len(ranked) == 2 else {0: "the only image"}
    return [Choice(str(ranked.index[i]), float(ranked.iloc[i]), rank) for i, rank in places.items()]


def _tiles(row: Mapping[Any, Any], mask: Path, root: Path, region: str) -> list[Image.Image]:
    """Return image, truth, prediction and overlay of one sample, each at most SIDE pixels long."""
    image = read_image(root / row["image"])
    truth = truth_of(row, root)
    predicted = read_mask(mask).array
    fits(predicted, truth.mask, mask, root / row["mask"])
    fits(image, truth.mask, root / row["image"], root / row["mask"])
    height, width = truth.mask.shape
    factor = SIDE / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    inside = truth.inside if region == "roi" else np.ones_like(truth.mask)
    kinds = (predicted & truth.mask, predicted & ~truth.mask, ~predicted & truth.mask)
    # The root lifts what is thinner than a display pixel; without it, a missed vessel is lost in the grey.
    shares = np.sqrt([_share(kind & inside, size) for kind in kinds])
    shares /= np.maximum(shares.sum(axis=0), 1)
    picture = np.asarray(Image.fromarray(image).resize(size, _filter(factor))).astype(np.float32)
    grey = picture.mean(axis=2, keepdims=True)
    overlay = 0.45 * np.repeat(grey, 3, axis=2) * (0.5 + 0.5 * _share(inside, size))
    for share, colour in zip(shares, (TP, FP, FN), strict=True):
        overlay = overlay * (1 - 0.85 * share) + 0.85 * share * np.array(colour, np.float32)
    if truth.roi is not None:
        edge = _outline(_share(truth.roi, size)[..., 0] > 0.5)
        picture, overlay = picture.copy(), overlay.copy()
        picture[edge] = overlay[edge] = OUTLINE
    flat = [255 * np.repeat(_share(part, size), 3, axis=2) for part in (truth.mask, predicted)]
    return [Image.fromarray(part.round().clip(0, 255).astype(np.uint8)) for part in (picture, *flat, overlay)]


def _share(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the share of each display pixel that `mask` covers, float32 (h, w, 1): thin vessels fade, not vanish."""
    factor = size[0] / mask.shape[1]
    small = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, _filter(factor))
    return np.asarray(small, np.float32)[..., None] / 255


def _filter(factor: float) -> Image.Resampling:
    return Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST


def _outline(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of `mask` within two pixels of its border; the border of the tile is none."""
    padded = np.pad(mask, 2, mode="edge")
    height, width = mask.shape
    shifts = [(0, 2), (4, 2), (2, 0), (2, 4)]
    inner = np.logical_and.reduce([padded[y : y + height, x : x + width] for y, x in shifts])
    return mask & ~inner


def _page(title: str, strips: Sequence[tuple[str, Sequence[Image.Image]]], phantom: bool) -> Image.Image:
    """Put the tiles together with title, heads, a line above each row, and the legend."""
    column = max(tile.width for _, tiles in strips for tile in tiles)
    across = len(HEADS) * column + (len(HEADS) - 1) * GAP
    line = round(1.5 * TEXT)
    height = 2 * MARGIN + 2 * TITLE + line + sum(line + tiles[0].height + GAP for _, tiles in strips) + line
    large, small = ImageFont.load_default(TITLE), ImageFont.load_default(TEXT)
    page = Image.new("RGB", (round(max(across, large.getlength(title), 900)) + 2 * MARGIN, height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, WARN if phantom else INK, font=large)
    top = MARGIN + 2 * TITLE
    for i, head in enumerate(HEADS):
        draw.text((MARGIN + i * (column + GAP), top), head, MUTED, font=small)
    top += line
    for words, tiles in strips:
        draw.text((MARGIN, top), words, INK, font=small)
        top += line
        for i, tile in enumerate(tiles):
            page.paste(tile, (MARGIN + i * (column + GAP), top))
        top += tiles[0].height + GAP
    left = float(MARGIN)
    for words, colour in LEGEND:
        draw.rectangle([left, top + 4, left + TEXT, top + 4 + TEXT], fill=colour, outline=MUTED, width=2)
        draw.text((left + 1.5 * TEXT, top), words, INK, font=small)
        left += 3 * TEXT + small.getlength(words)
    return _watermarked(page) if phantom else page


def _watermarked(page: Image.Image) -> Image.Image:
    veil = Image.new("RGBA", page.size, (0, 0, 0, 0))
    font = ImageFont.load_default(page.width / 7)
    centre = (page.width / 2, page.height / 2)
    ImageDraw.Draw(veil).text(centre, "PHANTOM", (*WARN, 45), font=font, anchor="mm")
    return Image.alpha_composite(page.convert("RGBA"), veil).convert("RGB")
