"""A picture of a few images of a data set with their masks drawn over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from segstudy.images import read_image
from segstudy.labels import Labels, binary, read_ids

TILE = 320  # pixels, the longer side of an example
GAP = 12
LINE = 22
COLUMNS = 3
_MASK, _ROI = (0, 230, 255), (255, 255, 255)
_INK = (30, 30, 30)


def draw_examples(rows: pd.DataFrame, root: Path, title: str, labels: Labels) -> Image.Image:
    """Return a sheet with, for each row of an index, the image above and again with its outlines below.

    The mask is outlined in cyan, the region of interest in white.
    """
    tiles = [_tile(row, root, labels) for row in rows.to_dict("records")]
    width = max([tile.width for tile in tiles], default=TILE)
    height = max([tile.height for tile in tiles], default=TILE)
    columns = min(COLUMNS, max(1, len(tiles)))
    lines = -(-len(tiles) // columns)
    size = (GAP + columns * (width + GAP), 3 * LINE + GAP + lines * (height + GAP))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP), title, fill=(190, 0, 0) if "PHANTOM" in title else _INK, font=ImageFont.load_default(18))
    note = "outlines: mask cyan, region of interest white" if tiles else "no readable image"
    pen.text((GAP, GAP + LINE + 4), note, fill=_INK, font=ImageFont.load_default(13))
    for position, tile in enumerate(tiles):
        line, column = divmod(position, columns)
        sheet.paste(tile, (GAP + column * (width + GAP), 3 * LINE + line * (height + GAP)))
    return sheet


def _tile(row: dict[Any, Any], root: Path, labels: Labels) -> Image.Image:
    image = Image.fromarray(read_image(root / row["image"]))
    scale = TILE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(size, Image.Resampling.LANCZOS)
    drawn = np.array(small)
    caption = [row["sample"], *([row["stratum"].replace("_", " ")] if row["stratum"] else [])]
    for part, colour in (("roi", _ROI), ("mask", _MASK)):
        if row[part]:
            mask = read_ids(root / row[part], labels if part == "mask" else binary(part)).array > 0
            drawn[_outline(_shrunk(mask, size))] = colour
            caption += [f"{mask.mean():.1%} foreground"] if part == "mask" else []
    tile = Image.new("RGB", (size[0], 2 * size[1] + LINE), "white")
    ImageDraw.Draw(tile).text((0, 2), ", ".join(caption), fill=_INK, font=ImageFont.load_default(14))
    tile.paste(small, (0, LINE))
    tile.paste(Image.fromarray(drawn), (0, LINE + size[1]))
    return tile


def _shrunk(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Resize a mask to (width, height), a pixel being foreground where most of what it covers is."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) > 127


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of `mask` (H, W) with a neighbour outside it; beyond the edge of the image lies outside."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner
