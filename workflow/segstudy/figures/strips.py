"""The same test images under every network, loss and recipe: what each of them gets wrong, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from segstudy.config import Cell
from segstudy.errors import StudyError
from segstudy.figures import tiles
from segstudy.figures.gallery import LEGEND, tiles_of
from segstudy.figures.tiles import GAP, INK, LINE, MARGIN, MUTED, PAPER, TEXT, TITLE, WARN, Entries
from segstudy.files import atomic_path, read_csv
from segstudy.labels import Labels
from segstudy.tables import headline, image_scores, read_counts

SIDE = 240  # pixels of the longer side of a tile: many stand in a row
STRATA = 3  # with more of them, the worst image of each is shown
IMAGES = 9  # of a data set
NAMES = ("model", "loss", "recipe")


class Source(NamedTuple):
    """Where the files of one data set lie, and how they are read."""

    index_csv: str | Path
    root: str | Path
    labels: Labels
    region: str  # `roi` or `full`: what the Dice counts
    phantom: bool


class Strip(NamedTuple):
    """A line of the page: what stands above it, its tiles, and the words below each."""

    words: str
    tiles: list[Image.Image]
    below: list[str]


class Section(NamedTuple):
    """One data set on the page."""

    title: str
    heads: list[tuple[str, ...]]
    strips: list[Strip]
    legend: Entries


def draw_strips(
    cells: Sequence[tuple[Cell, str | Path, str | Path]],
    sources: Mapping[str, Source],
    experiment: str,
    png: str | Path,
    *,
    policy: str,
) -> None:
    """Draw image, truth and the errors of every row for some test images of each data set, with their Dice.

    The images are those with the worst, the median and the best mean Dice over the rows (see `chosen`); colours are
    those of the gallery.

    Args:
        cells: of one seed for each data set: the cell, the path of its `counts.csv`, the folder of its masks.
        sources: data set -> its files.
        experiment: its name.
        png: where the figure goes.
        policy: threshold policy of the masks, where there is one foreground class.

    Raises:
        StudyError: if a data set has no test image, or a file is missing or of another size than its mask.
    """
    regions = {name: source.region for name, source in sources.items()}
    shown = headline(read_counts([(cell, counts) for cell, counts, _ in cells], []), policy, regions)
    scores = image_scores(shown[shown["subset"] == "test"])
    sections = []
    for name, source in sources.items():
        own = {cell: Path(masks) for cell, _, masks in cells if cell.dataset == name}
        sections.append(_section(name, own, scores[scores["dataset"] == name], source))
    phantom = any(source.phantom for source in sources.values())
    page = _page(f"Experiment {experiment}: errors on test images", sections, phantom)
    with atomic_path(png) as temporary:
        page.save(temporary, format="PNG")


def chosen(dice: pd.Series, strata: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (sample, why) of the worst, the median and the best image, of each stratum where there are some.

    Of more than STRATA strata it is the worst image of each; there are at most IMAGES, those of the hardest strata.

    Args:
        dice: mean over the rows, by sample; NaN where it is not defined.
        strata: sample -> stratum, empty where there is none.
    """
    defined = dice.dropna().sort_values(kind="stable")
    groups = [own for _, own in defined.groupby([strata[name] for name in defined.index], sort=False)]
    groups.sort(key=lambda own: float(own.iloc[0]))
    found = []
    for own in groups:
        places = {0: "worst", len(own) // 2: "median", len(own) - 1: "best"}
        places = {0: "worst"} if len(groups) > STRATA or len(own) == 1 else places
        if len(own) == 2:
            places = {0: "worst", 1: "best"}
        found += [(str(own.index[place]), why) for place, why in sorted(places.items())]
    return found[:IMAGES]


def _section(dataset: str, cells: Mapping[Cell, Path], scores: pd.DataFrame, source: Source) -> Section:
    rows = {row["sample"]: row for row in read_csv(source.index_csv).to_dict("records")}
    dice = scores.pivot(index="sample", columns=list(NAMES), values="dice")
    picked = chosen(dice.mean(axis=1), {name: rows[name]["stratum"] for name in dice.index})
    if not picked:
        raise StudyError(
            f"no test image of data set '{dataset}' has a Dice",
            remedy="give its split a test set with objects in it",
        )
    strips = []
    for sample, why in picked:
        masks = [folder / f"{sample}.png" for folder in cells.values()]
        parts = tiles_of(rows[sample], masks, Path(source.root), source.region, source.labels, SIDE)
        values = dice.loc[sample].reindex([(cell.model, cell.loss, cell.recipe) for cell in cells]).to_numpy(float)
        stratum = f" ({rows[sample]['stratum']})" if rows[sample]["stratum"] else ""
        words = f"{why}: {sample}{stratum}, mean Dice {np.nanmean(values):.3f}"
        below = ["", "", *("Dice not defined" if np.isnan(value) else f"Dice {value:.3f}" for value in values)]
        strips.append(Strip(words, [*parts[:2], *parts[3::2]], below))
    several = len({cell.recipe for cell in cells}) > 1
    names = [(cell.model, cell.loss, *([cell.recipe] if several else [])) for cell in cells]
    classes = list(zip(source.labels.names, source.labels.colours, strict=True))
    seed = next(iter(cells)).seed
    what = "; the wrong pixels in the colour of the truth" if source.labels.several else ""
    title = f"{dataset}{' (PHANTOM)' if source.phantom else ''}, seed {seed}{what}"
    return Section(title, [("image",), ("truth",), *names], strips, classes if source.labels.several else LEGEND)


def _page(title: str, sections: Sequence[Section], phantom: bool) -> Image.Image:
    """Put the sections below each other."""
    large = ImageFont.load_default(TITLE)
    across = max(len(section.heads) for section in sections) * (SIDE + GAP) - GAP
    width = round(max(across, 900))
    down = 2 * MARGIN + 2 * TITLE + sum(_height(section, width) for section in sections)
    page = Image.new("RGB", (width + 2 * MARGIN, down), PAPER)
    draw = ImageDraw.Draw(page)
    title = f"PHANTOM data: {title}" if phantom else title
    draw.text((MARGIN, MARGIN), title, WARN if phantom else INK, font=large)
    top = MARGIN + 2 * TITLE
    for section in sections:
        _draw(page, draw, section, top)
        tiles.legend(draw, top + _height(section, width) - tiles.legend_height(section.legend, width) - LINE,
                     section.legend, width)  # fmt: skip
        top += _height(section, width)
    return tiles.watermarked(page) if phantom else page


def _height(section: Section, width: float) -> int:
    heads = max(len(head) for head in section.heads)
    strips = sum(2 * LINE + strip.tiles[0].height + GAP for strip in section.strips)
    return 2 * LINE + heads * LINE + strips + tiles.legend_height(section.legend, width)


def _draw(page: Image.Image, draw: ImageDraw.ImageDraw, section: Section, top: int) -> None:
    small = ImageFont.load_default(TEXT)
    draw.text((MARGIN, top), section.title, INK, font=small)
    top += LINE
    for i, head in enumerate(section.heads):
        for line, word in enumerate(head):
            draw.text((MARGIN + i * (SIDE + GAP), top + line * LINE), word, MUTED, font=_fitting(word))
    top += max(len(head) for head in section.heads) * LINE
    for strip in section.strips:
        draw.text((MARGIN, top), strip.words, INK, font=small)
        top += LINE
        for i, (tile, words) in enumerate(zip(strip.tiles, strip.below, strict=True)):
            left = MARGIN + i * (SIDE + GAP)
            page.paste(tile, (left, top))
            draw.text((left, top + tile.height + 2), words, INK, font=small)
        top += strip.tiles[0].height + LINE + GAP


def _fitting(word: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font in which the head of a column is no wider than its tiles."""
    return ImageFont.load_default(min(TEXT, TEXT * SIDE / ImageFont.load_default(TEXT).getlength(word)))
