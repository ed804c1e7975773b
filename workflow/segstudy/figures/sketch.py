"""Draw a network from its layer table in the classic U shape, and write the table itself.

One box a layer: the height grows with the logarithm of the feature map's resolution, the width with that of its
channels; above it stand channels and height × width. Levels are rows, finest on top; going down or up starts
right below or above the layer it comes from; a skip is an arrow across.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.textpath import TextPath

from segstudy.files import atomic_path, write_csv, write_text
from segstudy.web import page

# Okabe and Ito's palette: told apart by colour-blind readers too. More than one operation of a kind (a decoder
# with dropout, say) takes the next colour of the row.
COLOURS = {
    "input": ("#D9D9D9",),
    "conv": ("#56B4E9", "#0072B2", "#A9CCE3"),
    "down": ("#D55E00", "#A04000"),
    "up": ("#009E73", "#52BE80"),
    "concat": ("#F5F5F5",),
    "head": ("#CC79A7", "#884EA0"),
    "output": ("#8C8C8C",),
}
OTHER = ("#E69F00", "#F0E442")
Point = tuple[float, float]
INK, FAINT = "#222222", "#777777"

# All lengths are inches; text is in points.
LABEL_SIZE, TITLE_SIZE = 7.5, 12.0
LINE = 0.135  # from one line of a label to the next
GAP = 0.16  # between neighbours, room for an arrow
ROW_GAP = 0.30  # between a row's boxes and the labels of the row below
MARGIN = 0.30
STEP = 0.18  # from one line of the legend to the next
READING = "above each box: channels, height × width of the feature map"


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


def draw_sketch(table: pd.DataFrame, title: str, out_svg: str | Path, out_png: str | Path, footnote: str = "") -> None:
    """Draw the network of a `segstudy.models.shapes.layer_table`; the same table gives the same bytes.

    `title` stands above the drawing, `footnote` (what size, how many parameters) below it, beside the legend.
    """
    with matplotlib.rc_context({"svg.hashsalt": "segstudy", "font.family": "DejaVu Sans"}):
        figure = compose(table, title, footnote)
        with atomic_path(out_svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        with atomic_path(out_png) as temporary:
            figure.savefig(temporary, format="png", dpi=160)


def compose(table: pd.DataFrame, title: str, footnote: str = "") -> Figure:
    """Return the drawing of a layer table as a figure without a window."""
    stages = list(table.itertuples(index=False))
    colours = _colours(stages)
    return _draw(_place(stages, colours), colours, title, footnote)


def write_layer_table(
    table: pd.DataFrame, csv: str | Path, html_file: str | Path, caption: str = "Layers of the network"
) -> None:
    """Write a layer table as CSV and as one plain HTML page with `caption` and the sum of the parameters."""
    write_csv(csv, table)
    heads = ["layer", "operation", "channels", "height × width", "parameters", "also takes"]
    rows = [
        (s.name, s.operation, s.channels, f"{s.height} × {s.width}", f"{s.parameters:,}", s.source)
        for s in table.itertuples(index=False)
    ]
    body = [
        f'<div class="scroll"><table><caption>{html.escape(caption)}</caption>',
        _row(heads, "th", "thead"),
        "<tbody>",
        *(_row(row, "td") for row in rows),
        "</tbody>",
        _row(["all layers", "", "", "", f"{table['parameters'].sum():,}", ""], "td", "tfoot"),
        "</table></div>",
    ]
    write_text(html_file, page(caption, "\n".join(body)))


def _row(cells: Iterable[object], tag: str, section: str = "") -> str:
    row = "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"
    return f"<{section}>{row}</{section}>" if section else row


def _colours(stages: list[Any]) -> dict[tuple[str, str], str]:
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


def _label(stage: Any) -> tuple[str, str]:
    return f"{stage.channels}", f"{stage.height} × {stage.width}"


@cache
def _text_width(text: str, size: float) -> float:
    """Return the width of `text` in inches."""
    return float(TextPath((0, 0), text, size=size).get_extents().width) / 72 if text else 0.0


def _joined(stages: list[Any]) -> set[int]:
    """Return the layers that are drawn as the right part of the join that follows them."""
    return {i for i, (one, two) in enumerate(pairwise(stages)) if one.kind == "up" and two.kind == "concat"}


def _place(stages: list[Any], colours: dict[tuple[str, str], str]) -> list[Box]:
    """Return a box for every layer, columns as wide as their widest label, rows as high as their highest box."""
    joined = _joined(stages)
    levels, columns = [], []
    level = column = 0
    for i, stage in enumerate(stages):
        level += {"down": 1, "up": -1}.get(stage.kind, 0)
        if i and stage.kind not in ("down", "up") and i - 1 not in joined:
            column += 1  # down and up stand right below and above the layer they come from
        levels.append(level)
        columns.append(column)
    sizes = [_size(stage) for stage in stages]
    by_name = {stage.name: stage for stage in stages}
    for i in joined:  # the join shows both of its parts, side by side
        sizes[i + 1] = (sizes[i][0] + _size(by_name[stages[i + 1].source])[0], sizes[i + 1][1])
    needs = [
        max(size[0], *(_text_width(text, LABEL_SIZE) for text in _label(stage)))
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


def _draw(boxes: list[Box], colours: dict[tuple[str, str], str], title: str, footnote: str) -> Figure:
    notes = footnote.splitlines()
    left, right = min(b.x for b in boxes) - 0.2, max(b.x + b.width for b in boxes) + 0.3
    top, base = max(b.y + b.height for b in boxes) + 2 * LINE + 0.45, min(b.y for b in boxes)
    legend_width = max([_text_width(READING, LABEL_SIZE), *(0.32 + _text_width(o, LABEL_SIZE) for _, o in colours)])
    notes_width = max((_text_width(note, LABEL_SIZE) for note in notes), default=0.0)
    right = max(right, left + legend_width + notes_width + 0.6, left + 1.2 * _text_width(title, TITLE_SIZE))
    legend_height = STEP * (max(len(colours) + 1, len(notes)) - 1)
    # The corners below the two arms of the U are empty: the legend goes there unless the coarsest levels reach in.
    beside = [b for b in boxes if b.y < base + legend_height + 0.3]
    fits = left + legend_width + 0.4 < min(b.x for b in beside) and right - notes_width - 0.4 > max(
        b.x + b.width for b in beside
    )
    bottom = base + 0.05 if fits else base - legend_height - 0.35
    figure = Figure(figsize=(right - left + 2 * MARGIN, top - bottom + 2 * MARGIN))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(left - MARGIN, right + MARGIN)
    axes.set_ylim(bottom - MARGIN, top + MARGIN)
    axes.set_axis_off()
    axes.text(left, top, title, fontsize=TITLE_SIZE, weight="bold", color=INK, va="center")
    for patch in _patches(boxes):
        axes.add_patch(patch)
    _write_labels(axes, boxes)
    _write_legend(axes, colours, left, bottom + STEP * len(colours))
    for i, note in enumerate(reversed(notes)):
        axes.text(right, bottom + i * STEP, note, fontsize=LABEL_SIZE, color=INK, ha="right", va="center")
    return figure


def _patches(boxes: list[Box]) -> Iterator[Any]:
    by_name = {box.stage.name: box for box in boxes}
    joined = _joined([box.stage for box in boxes])
    for i, box in enumerate(boxes):
        order = 3 if i in joined else 2  # the upsampled part lies on its join
        yield Rectangle((box.x, box.y), box.width, box.height, fc=box.colour, ec=INK, lw=0.7, zorder=order)
        if box.stage.source:
            source = by_name[box.stage.source]
            yield _arrow((source.x + source.width, source.middle), (box.x, box.middle), FAINT, dashed=True)
    for i, (one, two) in enumerate(pairwise(boxes)):
        if i in joined:
            continue
        colour = INK if two.stage.kind in ("conv", "input", "output", "concat") else two.colour
        if two.stage.kind in ("down", "up"):
            down = two.stage.kind == "down"
            start = one.y if down else one.y + one.height + 2 * LINE + 0.02
            end = two.y + two.height + 2 * LINE + 0.02 if down else two.y
            x = two.centre
            yield _arrow((x, start), (x, end), colour, heavy=True)
        else:
            yield _arrow((one.x + one.width, one.middle), (two.x, two.middle), colour)


def _arrow(start: Point, end: Point, colour: str, heavy: bool = False, dashed: bool = False) -> FancyArrowPatch:
    return FancyArrowPatch(
        start,
        end,
        arrowstyle="-|>",
        mutation_scale=9 if heavy or dashed else 6,
        lw=1.8 if heavy else 0.9,
        color=colour,
        linestyle=(0, (4, 2)) if dashed else "solid",
        shrinkA=0,
        shrinkB=0,
        zorder=1,
    )


def _write_labels(axes: Any, boxes: list[Box]) -> None:
    joined = _joined([box.stage for box in boxes])
    for i, box in enumerate(boxes):
        if i in joined:  # both parts of the join: channels inside; the label above it is the join's own
            join = boxes[i + 1]
            copied = join.x + (join.width - box.width) / 2
            style = {"fontsize": LABEL_SIZE, "rotation": 90, "ha": "center", "va": "center", "zorder": 4}
            axes.text(box.centre, box.middle, f"{box.stage.channels}", color="white", **style)
            axes.text(copied, box.middle, f"{join.stage.channels - box.stage.channels}", color=INK, **style)
            continue
        channels, size = _label(box.stage)
        top = box.y + box.height + 0.04
        style = {"fontsize": LABEL_SIZE, "ha": "center", "color": INK}
        axes.text(box.centre, top + LINE, channels, weight="bold", **style)
        axes.text(box.centre, top, size, **style)


def _write_legend(axes: Any, colours: dict[tuple[str, str], str], x: float, top: float) -> None:
    for i, ((kind, operation), colour) in enumerate(colours.items()):
        y = top - i * STEP
        start = 0.0
        if kind == "concat":
            start = 0.11
            axes.plot([x, x + start], [y, y], color=FAINT, lw=0.9, linestyle=(0, (2, 1)))
        axes.add_patch(Rectangle((x + start, y - 0.045), 0.22 - start, 0.09, fc=colour, ec=INK, lw=0.6))
        axes.text(x + 0.32, y, operation, fontsize=LABEL_SIZE, va="center", color=INK)
    axes.text(x, top - len(colours) * STEP, READING, fontsize=LABEL_SIZE, va="center", color=FAINT)
