"""A picture of a few images of a data set with their masks drawn over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from segstudy.core.names import drawn_title
from segstudy.data.images import drawing
from segstudy.data.images.label_map import Labels, read_ids
from segstudy.data.images.read import read_image
from segstudy.data.images.read_masks import read_mask
from segstudy.data.images.reading import reading_of

TILE = 320  # pixels, the longer side of an example
GAP = 12
LINE = 22
COLUMNS = 3
_MASK, _ROI = (0, 230, 255), (255, 255, 255)
_COVER = 0.6  # opacity of the colours of several classes
_INK = (30, 30, 30)


def draw_examples(rows: pd.DataFrame, root: Path, title: str, labels: Labels) -> Image.Image:
    """Return a sheet with, for each row of an index, the image above and again with its mask below.

    The mask of one class is outlined in cyan, those of several are laid over the image in their colours, background
    left as it is; the region of interest is outlined in white, void painted.
    """
    tiles = [_tile(row, root, labels) for row in rows.to_dict("records")]
    width = max([tile.width for tile in tiles], default=TILE)
    height = max([tile.height for tile in tiles], default=TILE)
    columns = min(COLUMNS, max(1, len(tiles)))
    lines = -(-len(tiles) // columns)
    full = GAP + columns * (width + GAP)
    legend = _legend(labels, full)
    head = 3 * LINE + legend.height
    sheet = Image.new("RGB", (full, head + GAP + lines * (height + GAP)), "white")
    sheet.paste(legend, (0, 3 * LINE - GAP // 2))
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP), title, fill=(190, 0, 0) if "PHANTOM" in title else _INK, font=ImageFont.load_default(18))
    mask = "colours: classes, background as it is; outline:" if labels.several else "outlines: mask cyan,"
    void = ", void filled" if labels.void else ""
    note = f"{mask} region of interest white{void}" if tiles else "no readable image"
    pen.text((GAP, GAP + LINE + 4), note, fill=_INK, font=ImageFont.load_default(13))
    for position, tile in enumerate(tiles):
        line, column = divmod(position, columns)
        sheet.paste(tile, (GAP + column * (width + GAP), head + line * (height + GAP)))
    return sheet


def _legend(labels: Labels, width: int) -> Image.Image:
    """Return the colours of several foreground classes and of void with their names, in rows; may be empty."""
    font, places, x, y = ImageFont.load_default(13), [], GAP, 0
    entries = [*zip(labels.foreground, labels.colours[1:], strict=True)] if labels.several else []
    entries += [drawing.VOID_ENTRY] if labels.void else []
    for name, _ in entries:
        length = LINE + round(font.getlength(name)) + GAP
        if x + length > width and x > GAP:
            x, y = GAP, y + LINE
        places.append((x, y))
        x += length
    legend = Image.new("RGB", (width, y + LINE + GAP if entries else 0), "white")
    pen = ImageDraw.Draw(legend)
    for (x, y), (name, colour) in zip(places, entries, strict=True):
        pen.rectangle((x, y + 2, x + 14, y + 16), fill=colour, outline=_INK)
        pen.text((x + LINE - 3, y + 1), name, fill=_INK, font=font)
    return legend


def _tile(row: dict[Any, Any], root: Path, labels: Labels) -> Image.Image:
    image = Image.fromarray(read_image(root / row["image"], reading_of(row)))
    scale = TILE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(size, Image.Resampling.LANCZOS)
    drawn = np.array(small)
    caption = [row["stratum"].replace("_", " ")] if row["stratum"] else []
    mask = read_ids(root / row["mask"], labels) if row["mask"] else None
    ids, void = (None, None) if mask is None else (mask.array, mask.void)
    counted = np.zeros(1, np.uint8) if ids is None else ids if void is None or void.all() else ids[~void]
    if ids is not None and labels.several:
        drawn = _painted(drawn, ids, labels)
        caption.append(f"{len(np.unique(counted))} of {sum(map(bool, labels.values))} classes")
    if void is not None and void.any():
        drawn[_shrunk(void, size)] = drawing.VOID
        caption.append(f"{void.mean():.1%} void")
    if row["roi"]:
        inside = read_mask(root / row["roi"], upright=labels.upright).array
        drawn[_outline(_shrunk(inside, size))] = _ROI
    if ids is not None and not labels.several:
        drawn[_outline(_shrunk(ids > 0, size))] = _MASK
        caption.append(f"{np.mean(counted > 0):.1%} foreground")
    head = 2 * LINE  # two lines: the names of some data sets fill one
    tile = Image.new("RGB", (size[0], 2 * size[1] + head), "white")
    words = f"{drawn_title(row)}\n{', '.join(caption)}"
    ImageDraw.Draw(tile).text((0, 2), words, fill=_INK, font=ImageFont.load_default(14))
    tile.paste(small, (0, head))
    tile.paste(Image.fromarray(drawn), (0, head + size[1]))
    return tile


def _painted(image: NDArray[np.uint8], ids: NDArray[np.uint8], labels: Labels) -> NDArray[np.uint8]:
    """Lay the colours of the foreground classes of `ids` (any size) over `image` (H, W, 3)."""
    height, width = image.shape[:2]
    small = np.asarray(Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST))
    colours = np.array(labels.colours, np.float32)[small]
    return np.rint(image + _COVER * (colours - image) * (small > 0)[..., None]).astype(np.uint8)


def _shrunk(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Resize a mask to (width, height), a pixel being foreground where most of what it covers is."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) > 127


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of `mask` (H, W) with a neighbour outside it; beyond the edge of the image lies outside."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner
