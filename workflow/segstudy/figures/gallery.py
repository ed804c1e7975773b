"""The best, the median and the worst test image of a cell, with truth, prediction and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from segstudy.core.checksums import content
from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_path, read_csv, write_picture
from segstudy.core.names import drawn_title
from segstudy.data.ground_truth import Truth, check_same_size, truth_of
from segstudy.data.images import drawing
from segstudy.data.images.drawing import GAP, INK, LINE, MARGIN, MUTED, PAPER, TEXT, TITLE, WARN, Entries
from segstudy.data.images.label_map import Labels
from segstudy.data.images.prediction_files import read_classes
from segstudy.data.images.read import read_image
from segstudy.data.images.read_masks import read_mask
from segstudy.data.images.reading import reading_of
from segstudy.evaluation.aggregate import ARGMAX, per_image
from segstudy.tables.counts_check import in_region, read_measured

# White, and Okabe and Ito's orange and sky blue: told apart by every kind of colour vision.
TP, FP, FN, OUTLINE = (255, 255, 255), (230, 159, 0), (86, 180, 233), (240, 228, 66)
LEGEND = (("found (TP)", TP), ("false alarm (FP)", FP), ("missed (FN)", FN))
# There is one of these for every training, and all are part of Snakemake's own report: as PNG of full-size tiles they
# would be half of it.
SIDE, QUALITY = 320, 82
HEADS = ("image", "truth", "prediction", "overlay")
HEADS_SEVERAL = ("image", "truth", "prediction", "errors (colour: truth)")


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
    jpg: str | Path,
    *,
    title: str,
    policy: str,
    region: str,
    labels: Labels,
    phantom: bool = False,
) -> None:
    """Draw image, truth, prediction and their overlay for the best, the median and the worst test image by Dice.

    In the overlay, on the darkened image, white is found, orange a false alarm and blue missed; the field of view is
    outlined, and outside it nothing is coloured where it is the region that counts. Void has a colour of its own.

    Several classes are drawn in their own colours, and the images ranked by the mean of the classes that truth or
    prediction shows. The last tile then has the wrong pixels alone, in the colour of what they are in truth.

    Args:
        counts: `counts.csv` of the cell.
        masks: folder of the predicted masks, `<sample>.png` at the original size.
        index: `index.csv` of the data set.
        policy: threshold policy of the masks, where there is one foreground class.
        region: `roi` or `full`, the region whose Dice ranks the images; images without a roi count in full.
        labels: what the values in the data set's masks mean.

    Raises:
        StudyError: if no test image was measured at `policy`, or a file is missing or of another size than its mask.
    """
    rows = {row["sample"]: row for row in read_csv(index).to_dict("records")}
    score = "mean Dice of its classes" if labels.several else "Dice"
    strips = []
    for choice in choose(read_measured(counts), ARGMAX if labels.several else policy, region, counts):
        value = "not defined" if np.isnan(choice.dice) else f"{choice.dice:.3f}"
        strip = tiles_of(rows[choice.sample], [Path(masks) / f"{choice.sample}.png"], Path(root), region, labels, SIDE)
        strips.append((f"{choice.rank}: {drawn_title(rows[choice.sample])}, {score} {value}", strip))
    heads = HEADS_SEVERAL if labels.several else HEADS
    page = _page(f"PHANTOM data: {title}" if phantom else title, heads, strips, legend_of(labels), phantom)
    with atomic_path(jpg) as temporary:
        write_picture(temporary, page, quality=QUALITY)


def legend_of(labels: Labels) -> Entries:
    """Return the legend of truths and errors of a data set."""
    classes = zip(labels.names, labels.colours, labels.values or ((),) * len(labels.names), strict=True)
    entries = tuple((name, colour) for name, colour, values in classes if values) if labels.several else LEGEND
    return (*entries, drawing.VOID_ENTRY) if labels.void else entries


def choose(counts: pd.DataFrame, policy: str, region: str, where: object = "") -> list[Choice]:
    """Return the best, the median and the worst test image by Dice; fewer where there are fewer images.

    Images whose Dice is not defined (nothing there, nothing predicted) are shown only if no other is left.

    Raises:
        StudyError: if no test image was measured at `policy`.
    """
    test = in_region(counts[counts["subset"].eq("test") & counts["policy"].eq(policy)], region)
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


def tiles_of(
    row: Mapping[Any, Any], masks: Sequence[Path], root: Path, region: str, labels: Labels, side: int = drawing.SIDE
) -> list[Image.Image]:
    """Return image and truth of one sample, then prediction and errors of each mask, at most `side` pixels long."""
    image = read_image(root / row["image"], reading_of(row))
    truth = truth_of(row, root, labels)
    check_same_size(image, truth.ids, root / row["image"], root / row["mask"])
    size = drawing.tile_size(truth.ids.shape, side)
    field = truth.field if region == "roi" else np.ones(truth.ids.shape, bool)
    inside = field if truth.void is None else field & ~truth.void
    picture = np.asarray(Image.fromarray(image).resize(size, drawing.resampling(image.shape, size))).astype(np.float32)
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    dark = 0.45 * grey * (0.5 + 0.5 * drawing.share(field, size))
    edge = None if truth.roi is None else drawing.outline(drawing.share(truth.roi, size)[..., 0] > 0.5)
    parts = [picture]
    for mask in masks:
        content(mask)  # as it was written
        predicted = read_classes(mask, len(labels.names)) if labels.several else read_mask(mask).array
        check_same_size(predicted, truth.ids, mask, root / row["mask"])
        if labels.several:
            tiles = _classes(truth, predicted, inside, dark, labels)
        else:
            tiles = _one_class(truth, predicted, inside, dark)
        tiles[::2] = [drawing.painted(tile, truth.void) for tile in tiles[::2]]  # truth and errors
        parts += tiles[len(parts) > 1 :]  # the truth once
    if edge is not None:
        for part in (parts[0], *parts[3::2]):
            part[edge] = OUTLINE
    return [Image.fromarray(part.round().clip(0, 255).astype(np.uint8)) for part in parts]


def _one_class(truth: Truth, predicted: np.ndarray, inside: np.ndarray, dark: np.ndarray) -> list[np.ndarray]:
    """Return truth, prediction and their overlay on the darkened image, float32 (h, w, 3) each."""
    size = (dark.shape[1], dark.shape[0])
    parts = (predicted & truth.mask, predicted & ~truth.mask, ~predicted & truth.mask)
    # The root lifts what is thinner than a display pixel; without it, a missed vessel is lost in the grey.
    shares = np.sqrt([drawing.share(part & inside, size) for part in parts])
    shares /= np.maximum(shares.sum(axis=0), 1)
    overlay = dark
    for share, colour in zip(shares, (TP, FP, FN), strict=True):
        overlay = overlay * (1 - 0.85 * share) + 0.85 * share * np.array(colour, np.float32)
    return [*(255 * np.repeat(drawing.share(part, size), 3, axis=2) for part in (truth.mask, predicted)), overlay]


def _classes(
    truth: Truth, predicted: np.ndarray, inside: np.ndarray, dark: np.ndarray, labels: Labels
) -> list[np.ndarray]:
    """Return truth, prediction, and the wrong pixels on the darkened image, float32 (h, w, 3) each."""
    size = (dark.shape[1], dark.shape[0])
    predicted_tile, truth_tile = (drawing.flat(ids, labels.colours, size) for ids in (predicted, truth.ids))
    wrong = ((predicted != truth.ids) & inside).astype(np.uint8)
    errors = np.where(drawing.flat(wrong, ((0, 0, 0), (1, 1, 1)), size) > 0, truth_tile, dark)
    return [truth_tile, predicted_tile, errors]


def _page(
    title: str,
    heads: Sequence[str],
    strips: Sequence[tuple[str, Sequence[Image.Image]]],
    legend: Entries,
    phantom: bool,
) -> Image.Image:
    """Put the tiles together with title, heads, a line above each row, and the legend."""
    column = max(tile.width for _, strip in strips for tile in strip)
    across = len(heads) * column + (len(heads) - 1) * GAP
    large, small = ImageFont.load_default(TITLE), ImageFont.load_default(TEXT)
    width = round(max(across, large.getlength(title), 900))
    down = 2 * TITLE + LINE + sum(LINE + strip[0].height + GAP for _, strip in strips)
    page = Image.new("RGB", (width + 2 * MARGIN, down + drawing.legend_height(legend, width) + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, WARN if phantom else INK, font=large)
    top = MARGIN + 2 * TITLE
    for i, head in enumerate(heads):
        draw.text((MARGIN + i * (column + GAP), top), head, MUTED, font=small)
    top += LINE
    for words, strip in strips:
        draw.text((MARGIN, top), words, INK, font=small)
        top += LINE
        for i, tile in enumerate(strip):
            page.paste(tile, (MARGIN + i * (column + GAP), top))
        top += strip[0].height + GAP
    drawing.legend(draw, top, legend, width)
    return drawing.watermarked(page) if phantom else page
