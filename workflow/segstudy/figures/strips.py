"""Errors of every network, loss and recipe on the same test images, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from segstudy.config.cell import Cell
from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_path, read_csv
from segstudy.core.names import drawn_title
from segstudy.data.images import drawing
from segstudy.data.images.drawing import GAP, INK, LINE, MARGIN, MUTED, PAPER, TEXT, TITLE, WARN, Entries
from segstudy.data.images.label_map import Labels
from segstudy.figures.gallery import legend_of, tiles_of
from segstudy.tables.counts import headline, image_scores, read_counts

SIDE = 240  # pixels of the longer side of a tile: many stand in a row
STRATA = 3  # with more of them, the worst image of each is shown
IMAGES = 9  # of a data set
ACROSS = 8  # rows beside image and truth: with more of them the same images come again below, for the next rows
FEW = 3  # images of a data set whose rows take more than one part
NAMES = ("model", "loss", "recipe")


class Source(NamedTuple):
    """Where the files of one data set lie, and how they are read."""

    index_csv: str | Path
    root: str | Path
    labels: Labels
    region: str  # `roi` or `full`: what the Dice counts
    phantom: bool


def sources_of(
    settings: Mapping[str, Mapping[str, Any]], indexes: Sequence[str | Path], labels_of: Callable[..., Labels]
) -> dict[str, Source]:
    """Return the files of each data set.

    Args:
        settings: data set -> `reader`, `root`, `labels`, `region`, `phantom`.
        indexes: their `index.csv`, in the same order.
        labels_of: of `data.readers.registry`, which figures do not know.
    """
    return {
        name: Source(index, one["root"], labels_of(one["reader"], **one["labels"]), one["region"], one["phantom"])
        for (name, one), index in zip(settings.items(), indexes, strict=True)
    }


class Strip(NamedTuple):
    """A line of the page: its heading, its tiles, and the words below each."""

    words: str
    tiles: list[Image.Image]
    below: list[str]


class Section(NamedTuple):
    """One data set on the page, or at most ACROSS of its rows."""

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
    title: str = "errors on test images",
) -> None:
    """Draw image, truth and the errors of every row for some test images of each data set, with their Dice.

    The images are those with the worst, the median and the best mean Dice over the rows (see `chosen`); colours are
    those of the gallery. More than ACROSS rows are drawn in parts below each other, of fewer images.

    Args:
        cells: of one seed for each data set: the cell, the path of its `counts.csv`, the folder of its masks.
        sources: data set -> its files.
        policy: threshold policy of the masks, where there is one foreground class.
        title: what follows the experiment's name above the page.

    Raises:
        StudyError: if a data set has no test image, or a file is missing or of another size than its mask.
    """
    regions = {name: source.region for name, source in sources.items()}
    selected = headline(read_counts([(cell, counts) for cell, counts, _ in cells], []), policy, regions)
    scores = image_scores(selected[selected["subset"] == "test"])
    sections = []
    for name, source in sources.items():
        masks_of = {cell: Path(masks) for cell, _, masks in cells if cell.dataset == name}
        sections += _sections(name, masks_of, scores[scores["dataset"] == name], source)
    phantom = any(source.phantom for source in sources.values())
    page = _page(f"Experiment {experiment}: {title}", sections, phantom)
    with atomic_path(png) as temporary:
        page.save(temporary, format="PNG")


def chosen(dice: pd.Series, strata: Mapping[str, str], most: int = IMAGES) -> list[tuple[str, str]]:
    """Return (sample, why) of the worst, the median and the best image, of each stratum where there are some.

    Of more than STRATA strata, or where `most` would not do, it is the worst image of each, the hardest strata first.

    Args:
        dice: mean over the rows, by sample; NaN where it is not defined.
        strata: sample -> stratum, empty where there is none.
        most: images at most.
    """
    defined = dice.dropna().sort_values(kind="stable")
    groups = [group for _, group in defined.groupby([strata[name] for name in defined.index], sort=False)]
    groups.sort(key=lambda group: float(group.iloc[0]))
    picked = []
    for group in groups:
        places = {0: "worst", len(group) // 2: "median", len(group) - 1: "best"}
        if len(group) == 2:
            places = {0: "worst", 1: "best"}
        if len(group) == 1 or len(groups) > min(STRATA, most // len(places)):
            places = {0: "worst"}
        picked += [(str(group.index[place]), why) for place, why in sorted(places.items())]
    return picked[:most]


def _sections(dataset: str, cells: Mapping[Cell, Path], scores: pd.DataFrame, source: Source) -> list[Section]:
    """Return the parts of a data set: images are chosen by all rows, and are the same in every part."""
    rows = {row["sample"]: row for row in read_csv(source.index_csv).to_dict("records")}
    dice = scores.pivot(index="sample", columns=list(NAMES), values="dice")
    strata = {name: rows[name]["stratum"] for name in dice.index}
    picked = chosen(dice.mean(axis=1), strata, IMAGES if len(cells) <= ACROSS else FEW)
    if not picked:
        raise StudyError(
            f"no test image of data set '{dataset}' has a Dice",
            remedy="give its split a test set with objects in it",
        )
    number = -(-len(cells) // ACROSS)
    parts = [list(part) for part in np.array_split(np.arange(len(cells)), number)]  # of the same length, but for one
    return [_section(dataset, cells, part, picked, rows, dice, source) for part in parts]


def _section(
    dataset: str,
    cells: Mapping[Cell, Path],
    part: Sequence[int],
    picked: Sequence[tuple[str, str]],
    rows: Mapping[str, Mapping[Any, Any]],
    dice: pd.DataFrame,
    source: Source,
) -> Section:
    """Return the part of a data set that shows some of its cells, by their places."""
    columns = [list(cells)[place] for place in part]
    strips = []
    for sample, why in picked:
        masks = [cells[cell] / f"{sample}.png" for cell in columns]
        pictures = tiles_of(rows[sample], masks, Path(source.root), source.region, source.labels, SIDE)
        values = dice.loc[sample].reindex([(cell.model, cell.loss, cell.recipe) for cell in columns]).to_numpy(float)
        stratum = f" ({rows[sample]['stratum']})" if rows[sample]["stratum"] else ""
        words = f"{why}: {drawn_title(rows[sample])}{stratum}, mean Dice {dice.loc[sample].mean():.3f}"
        below = ["", "", *("Dice not defined" if np.isnan(value) else f"Dice {value:.3f}" for value in values)]
        strips.append(Strip(words, [*pictures[:2], *pictures[3::2]], below))
    several = len({cell.recipe for cell in cells}) > 1
    names = [(cell.model, cell.loss, *([cell.recipe] if several else [])) for cell in columns]
    what = "; the wrong pixels in the colour of the truth" if source.labels.several else ""
    of = f", rows {part[0] + 1} to {part[-1] + 1} of {len(cells)}" if len(part) < len(cells) else ""
    title = f"{dataset}{' (PHANTOM)' if source.phantom else ''}, seed {columns[0].seed}{of}{what}"
    return Section(title, [("image",), ("truth",), *names], strips, legend_of(source.labels))


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
        drawing.legend(draw, top + _height(section, width) - drawing.legend_height(section.legend, width) - LINE,
                     section.legend, width)  # fmt: skip
        top += _height(section, width)
    return drawing.watermarked(page) if phantom else page


def _height(section: Section, width: float) -> int:
    heads = max(len(head) for head in section.heads)
    strips = sum(2 * LINE + strip.tiles[0].height + GAP for strip in section.strips)
    return 2 * LINE + heads * LINE + strips + drawing.legend_height(section.legend, width)


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
