"""Where the boxes of a network's sketch stand, how large they are, and in which colour.

Levels are rows, finest on top; going down or up starts right below or above the layer it comes from. A box's height
grows with the logarithm of the feature map's resolution, its width with that of its channels.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from matplotlib.textpath import TextPath

# Okabe and Ito's palette: told apart by colour-blind readers too. More than one operation of a kind (a decoder
# with dropout, say) takes the next colour of the row; wider dilations are darker.
COLOURS = {
    "input": ("#D9D9D9",),
    "conv": ("#56B4E9", "#0072B2", "#A9CCE3"),
    "dilated": (
        "#EEF8B3",
        "#D1EDB3",
        "#A2DBB8",
        "#6DC6BE",
        "#3EB3C4",
        "#2296C1",
        "#2070B0",
        "#234C9F",
        "#1F2F87",
        "#081D58",
    ),
    "down": ("#D55E00", "#A04000"),
    "up": ("#009E73", "#52BE80"),
    "concat": ("#F5F5F5",),
    "head": ("#CC79A7", "#884EA0"),
    "output": ("#8C8C8C",),
}
OTHER = ("#E69F00", "#F0E442")

# All lengths are inches; text is in points.
LABEL_SIZE, TITLE_SIZE = 7.5, 12.0
LINE = 0.135  # from one line of a label to the next
GAP = 0.16  # between neighbours, room for an arrow
ROW_GAP = 0.30  # between a row's boxes and the labels of the row below


class Box(NamedTuple):
    """A layer with its place in the drawing: lower left corner, size, and the place its label is centred on."""

    stage: Any
    colour: str
    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> float:
        """Horizontal centre."""
        return self.x + self.width / 2

    @property
    def middle(self) -> float:
        """Vertical middle."""
        return self.y + self.height / 2


def colours_of(stages: list[Any]) -> dict[tuple[str, str], str]:
    """Return a colour for every (kind, operation), in order of appearance."""
    colours: dict[tuple[str, str], str] = {}
    for stage in stages:
        if (stage.kind, stage.operation) not in colours:
            shades = COLOURS.get(stage.kind, OTHER)
            used = sum(kind == stage.kind for kind, _ in colours)
            colours[stage.kind, stage.operation] = shades[min(used, len(shades) - 1)]
    return colours


def _size(stage: Any) -> tuple[float, float]:
    """Return the (width, height) of a layer's box: logarithmic in channels and in resolution."""
    resolution = math.sqrt(stage.height * stage.width)
    return 0.08 + 0.035 * math.log2(1 + stage.channels), 0.16 + 0.125 * math.log2(1 + resolution)


def label(stage: Any) -> tuple[str, str]:
    """Return the two lines above a layer's box."""
    return f"{stage.channels}", f"{stage.height} × {stage.width}"


@cache
def text_width(text: str, size: float) -> float:
    """Return the width of `text` in inches."""
    return float(TextPath((0, 0), text, size=size).get_extents().width) / 72 if text else 0.0


def joined_parts(stages: list[Any]) -> set[int]:
    """Return the layers that are drawn as the right part of the join that follows them."""
    return {i for i, (one, two) in enumerate(pairwise(stages)) if one.kind == "up" and two.kind == "concat"}


def place(stages: list[Any], colours: dict[tuple[str, str], str]) -> list[Box]:
    """Return a box for every layer, columns as wide as their widest label, rows as high as their highest box."""
    joined = joined_parts(stages)
    levels: list[int] = []
    columns: list[int] = []
    level = column = 0
    for i, stage in enumerate(stages):
        level += {"down": 1, "up": -1}.get(stage.kind, 0) * _halvings(stages[i - 1], stage)
        # Down and up stand right below and above the layer they come from, unless another one stands there (what was
        # pooled, when the way turns right after pooling).
        occupied = (level, column) in zip(levels, columns, strict=True)
        if i and (occupied or stage.kind not in ("down", "up")) and i - 1 not in joined:
            column += 1
        levels.append(level)
        columns.append(column)
    sizes = [_size(stage) for stage in stages]
    by_name = {stage.name: stage for stage in stages}
    for i in joined:  # the join shows both of its parts, side by side
        sizes[i + 1] = (sizes[i][0] + _size(by_name[stages[i + 1].source])[0], sizes[i + 1][1])
    needs = [
        max(size[0], *(text_width(text, LABEL_SIZE) for text in label(stage)))
        for stage, size in zip(stages, sizes, strict=True)
    ]
    widths = [max(n for n, c in zip(needs, columns, strict=True) if c == column) for column in range(column + 1)]
    centres = [sum(widths[:c]) + c * GAP + widths[c] / 2 for c in range(len(widths))]
    rows = sorted(set(levels))
    heights = [max(s[1] for s, each in zip(sizes, levels, strict=True) if each == row) for row in rows]
    tops = [-sum(h + ROW_GAP + 2 * LINE for h in heights[:k]) for k in range(len(rows))]
    boxes = []
    for i, stage in enumerate(stages):
        width, height = sizes[i]
        row = rows.index(levels[i])
        x = centres[columns[i]] - width / 2
        if i in joined:
            x = centres[columns[i]] - sizes[i + 1][0] / 2 + sizes[i + 1][0] - width
        # Boxes of a row share their middle, so that skips run straight.
        y = tops[row] - heights[row] / 2 - height / 2
        boxes.append(Box(stage, colours[stage.kind, stage.operation], x, y, width, height))
    return boxes


def _halvings(one: Any, two: Any) -> int:
    """Return by how many halvings or doublings the resolutions of two layers differ; at least one."""
    return max(1, round(abs(math.log2((one.height * one.width) / (two.height * two.width))) / 2))
