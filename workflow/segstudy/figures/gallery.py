"""The best, the median and the worst test image of a cell, beside the truth and what the network made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from segstudy.errors import StudyError
from segstudy.figures import tiles
from segstudy.figures.tiles import GAP, INK, MARGIN, MUTED, PAPER, TEXT, TITLE, WARN
from segstudy.files import atomic_path, read_csv
from segstudy.images import read_image, read_mask
from segstudy.labels import Labels
from segstudy.metrics import per_image
from segstudy.truth import fits, truth_of

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
    labels: Labels,
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
        labels: what the values in the data set's masks mean.
        phantom: whether the images are drawn stand-ins: the figure then says PHANTOM.

    Raises:
        StudyError: if no test image was measured at `policy`, or a file is missing or of another size than its mask.
    """
    rows = {row["sample"]: row for row in read_csv(index).to_dict("records")}
    strips = []
    for choice in choose(read_csv(counts), policy, region, counts):
        value = "not defined" if np.isnan(choice.dice) else f"{choice.dice:.3f}"
        strip = _tiles(rows[choice.sample], Path(masks) / f"{choice.sample}.png", Path(root), region, labels)
        strips.append((f"{choice.rank}: {choice.sample}, Dice {value}", strip))
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


def _tiles(row: Mapping[Any, Any], mask: Path, root: Path, region: str, labels: Labels) -> list[Image.Image]:
    """Return image, truth, prediction and overlay of one sample, each at most SIDE pixels long."""
    image = read_image(root / row["image"])
    truth = truth_of(row, root, labels)
    predicted = read_mask(mask).array
    fits(predicted, truth.mask, mask, root / row["mask"])
    fits(image, truth.mask, root / row["image"], root / row["mask"])
    size = tiles.tile_size(truth.mask.shape)
    inside = truth.inside if region == "roi" else np.ones_like(truth.mask)
    kinds = (predicted & truth.mask, predicted & ~truth.mask, ~predicted & truth.mask)
    # The root lifts what is thinner than a display pixel; without it, a missed vessel is lost in the grey.
    shares = np.sqrt([tiles.share(kind & inside, size) for kind in kinds])
    shares /= np.maximum(shares.sum(axis=0), 1)
    picture = np.asarray(Image.fromarray(image).resize(size, tiles.resampling(image.shape, size))).astype(np.float32)
    grey = picture.mean(axis=2, keepdims=True)
    overlay = 0.45 * np.repeat(grey, 3, axis=2) * (0.5 + 0.5 * tiles.share(inside, size))
    for share, colour in zip(shares, (TP, FP, FN), strict=True):
        overlay = overlay * (1 - 0.85 * share) + 0.85 * share * np.array(colour, np.float32)
    if truth.roi is not None:
        edge = tiles.outline(tiles.share(truth.roi, size)[..., 0] > 0.5)
        picture, overlay = picture.copy(), overlay.copy()
        picture[edge] = overlay[edge] = OUTLINE
    flat = [255 * np.repeat(tiles.share(part, size), 3, axis=2) for part in (truth.mask, predicted)]
    return [Image.fromarray(part.round().clip(0, 255).astype(np.uint8)) for part in (picture, *flat, overlay)]


def _page(title: str, strips: Sequence[tuple[str, Sequence[Image.Image]]], phantom: bool) -> Image.Image:
    """Put the tiles together with title, heads, a line above each row, and the legend."""
    column = max(tile.width for _, strip in strips for tile in strip)
    across = len(HEADS) * column + (len(HEADS) - 1) * GAP
    line = round(1.5 * TEXT)
    height = 2 * MARGIN + 2 * TITLE + line + sum(line + strip[0].height + GAP for _, strip in strips) + line
    large, small = ImageFont.load_default(TITLE), ImageFont.load_default(TEXT)
    page = Image.new("RGB", (round(max(across, large.getlength(title), 900)) + 2 * MARGIN, height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, WARN if phantom else INK, font=large)
    top = MARGIN + 2 * TITLE
    for i, head in enumerate(HEADS):
        draw.text((MARGIN + i * (column + GAP), top), head, MUTED, font=small)
    top += line
    for words, strip in strips:
        draw.text((MARGIN, top), words, INK, font=small)
        top += line
        for i, tile in enumerate(strip):
            page.paste(tile, (MARGIN + i * (column + GAP), top))
        top += strip[0].height + GAP
    tiles.legend(draw, top, LEGEND)
    return tiles.watermarked(page) if phantom else page
