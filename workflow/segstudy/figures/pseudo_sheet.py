"""Contact sheet of pseudo-labels: some accepted and some rejected, drawn over their images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from segstudy.core.files import atomic_path, read_csv, read_json
from segstudy.core.names import drawn_title
from segstudy.data.ground_truth import roi_of
from segstudy.data.images import drawing
from segstudy.data.images.drawing import GAP, INK, LINE, MARGIN, MUTED, PAPER, TEXT, TITLE, WARN
from segstudy.data.images.prediction_files import read_probability
from segstudy.data.images.read import read_image
from segstudy.data.images.reading import reading_of
from segstudy.evaluation.thresholds import binarise
from segstudy.inference.pseudo_selection import described

ACROSS, SHOWN = 4, 8  # pictures in a row, and of each kind
OUTLINE, ROI = (0, 229, 255), (255, 255, 255)


class Tile(NamedTuple):
    """A picture and the lines below it: sample, measures, why it was rejected."""

    picture: Image.Image
    lines: tuple[str, ...]
    roi: bool  # whether a field of view is drawn


def draw_contact_sheet(
    accepted: str | Path,
    range_json: str | Path,
    probabilities: str | Path,
    index: str | Path,
    root: str | Path,
    png: str | Path,
    *,
    title: str,
    phantom: bool = False,
) -> None:
    """Draw up to eight accepted and eight rejected pseudo-labels, evenly from the least to the most white of each.

    The teacher's mask (p >= 0.5) is outlined in cyan, the field of view in white. Below each picture stand its sample,
    the two measures, and why it was rejected.

    Args:
        accepted: `accepted.csv` of the student.
        range_json: `range.json` beside it.
        probabilities: folder of the teacher's probabilities, `<sample>.png` at the original size.
        index: `index.csv` of the data set that was labelled.
    """
    table, facts = read_csv(accepted), read_json(range_json)
    rows = {row["sample"]: row for row in read_csv(index).to_dict("records")}
    sections = []
    for verdict, value in (("accepted", 1), ("rejected", 0)):
        part = table[table["accepted"] == value]
        chosen = evenly(part, SHOWN)
        tiles = [_tile(row, rows[row["sample"]], Path(probabilities), Path(root)) for row in chosen]
        few = f", {len(tiles)} of them shown" if 0 < len(tiles) < len(part) else ""
        sections.append((f"{len(part)} of {len(table)} {verdict}{few}", tiles))
    words = f"accepted: {described(facts)}" + (
        f" (computed from {facts['computed']['images']} training masks)" if facts["computed"] else ""
    )
    page = _page(f"PHANTOM data: {title}" if phantom else title, words, sections, phantom)
    with atomic_path(png) as temporary:
        page.save(temporary, format="PNG")


def evenly(table: pd.DataFrame, number: int) -> list[dict[Any, Any]]:
    """Return at most `number` rows, evenly from the least to the most white."""
    ordered = table.sort_values(["white", "sample"])
    places = np.linspace(0, len(ordered) - 1, min(number, len(ordered))).round().astype(int)
    return ordered.iloc[places].to_dict("records")


def _tile(measured: Mapping[Any, Any], row: Mapping[Any, Any], probabilities: Path, root: Path) -> Tile:
    image = read_image(root / row["image"], reading_of(row))
    mask = binarise(read_probability(probabilities / f"{row['sample']}.png"), 0.5)
    size = drawing.tile_size(mask.shape)
    picture = np.array(Image.fromarray(image).resize(size, drawing.resampling(image.shape, size)))
    # Vessels are thinner than a display pixel here: a pixel belongs to the mask if a fifth of it does.
    there = (drawing.share(mask, size)[..., 0] > 0.2).astype(np.uint8)
    edge = drawing.outline(there, width=1)
    roi = roi_of(row, root)
    if roi is not None:
        picture[drawing.outline((drawing.share(roi, size)[..., 0] > 0.5).astype(np.uint8))] = ROI
    picture[edge] = OUTLINE
    figures = f"white {measured['white']:.3f}, confidence {measured['confidence']:.3f}"
    why = [part.partition(" (")[0] for part in str(measured["reason"]).split("; ") if part]
    return Tile(Image.fromarray(picture), (drawn_title(row), figures, ", ".join(why)), roi is not None)


def _page(title: str, words: str, sections: Sequence[tuple[str, Sequence[Tile]]], phantom: bool) -> Image.Image:
    """Put the sections together, ACROSS pictures in a row, lines below each."""
    every = [tile for _, tiles in sections for tile in tiles]
    column, height = (max(tile.picture.size[axis] for tile in every) for axis in (0, 1))
    large, small = ImageFont.load_default(TITLE), ImageFont.load_default(TEXT)
    column = max(column, *(math.ceil(small.getlength(tile.lines[1])) for tile in every))  # below narrow images too
    legend = [("outline of the mask (p >= 0.5)", OUTLINE)]
    legend += [("border of the field of view", ROI)] if any(tile.roi for tile in every) else []
    wide = max([large.getlength(title), small.getlength(words), 1100])
    across = round(max(ACROSS * (column + GAP) - GAP, wide))
    below = [LINE * sum(any(tile.lines[i] for tile in tiles) for i in range(3)) for _, tiles in sections]
    down = [
        round(1.6 * LINE) + -(-len(tiles) // ACROSS) * (height + space + GAP)
        for (_, tiles), space in zip(sections, below, strict=True)
    ]
    head = 2 * TITLE + round(1.5 * LINE)
    tall = head + sum(down) + drawing.legend_height(legend, across) + 2 * MARGIN
    page = Image.new("RGB", (across + 2 * MARGIN, tall), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, WARN if phantom else INK, font=large)
    draw.text((MARGIN, MARGIN + 1.6 * TITLE), words, MUTED, font=small)
    top = MARGIN + head
    for (name, tiles), space, tall in zip(sections, below, down, strict=True):
        draw.text((MARGIN, top), name, INK, font=small)
        for i, tile in enumerate(tiles):
            left = MARGIN + i % ACROSS * (column + GAP)
            upper = top + round(1.6 * LINE) + i // ACROSS * (height + space + GAP)
            page.paste(tile.picture, (left, upper))
            for line, text in enumerate(tile.lines):
                colour = (INK, MUTED, WARN)[line]
                draw.text(
                    (left, upper + height + line * LINE + 4), drawing.fitting(text, small, column), colour, font=small
                )
        top += tall
    drawing.legend(draw, top, legend, across)
    return drawing.watermarked(page) if phantom else page
