"""The sketch and the layer table of a network, at the size a data set has in the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from segstudy.core.files import atomic_path, read_csv, read_json, write_csv, write_text
from segstudy.core.html_page import page
from segstudy.core.markup import element
from segstudy.data.store import META
from segstudy.figures.sketch_layout import (
    LABEL_SIZE,
    LINE,
    TITLE_SIZE,
    Box,
    colours_of,
    joined_parts,
    label,
    place,
    text_width,
)
from segstudy.models.cost import count_flops, count_parameters
from segstudy.models.layer_table import field_words, layer_table
from segstudy.models.registry import build


def sketch_network(
    settings: Mapping[str, Any], store: str | Path, card: str | Path, title: str, outputs: Mapping[str, str | Path]
) -> None:
    """Draw a network and write its layer table.

    Args:
        settings: kind and options of the network, as `Study.model_settings` resolves them.
        store: folder of the data set's store: its canvas is the size, its classes are the outputs.
        card: of the data set, which knows the sizes of its objects.
        outputs: paths of `svg`, `png`, `csv` and `html`.
    """
    meta = read_json(Path(store) / "store.json", META)
    height, width = meta["canvas"]
    foreground = len(meta["classes"])
    shape = (meta["channels"], 1 if foreground == 1 else foreground + 1)
    table = layer_table(settings, *shape, height, width)
    network = build(dict(settings), *shape)
    work = count_flops(network, meta["channels"], height, width) / 1e9
    footnote = (
        f"one image of {meta['channels']} x {height} x {width}: {count_parameters(network):,} parameters, "
        f"{work:.2f} GFLOP forward (a multiply-add is two); sizes as a forward pass shows them"
    )
    side, field = field_words(settings, *shape)
    sight = sight_words(side, field, _span(card, store))
    draw_sketch(table, title, outputs["svg"], outputs["png"], f"{footnote}\n{sight}")
    write_layer_table(table, outputs["csv"], outputs["html"], caption=f"{title}: {footnote}; {sight}")


def sight_words(side: int | None, field: str, span: float | None) -> str:
    """Return a sentence on what one output pixel sees.

    Args:
        side: of the receptive field, None where it is unknown or unlimited.
        field: both its sides in words.
        span: pixels of the median object on the canvas, None where no mask has objects.
    """
    words = f"receptive field {field} pixels" if side else f"receptive field: {field}"
    if span is None:
        return words
    return f"{words}; the median object is {span:.0f} pixels long" + (
        ": no pixel sees it whole" if side and side < span else ""
    )


def _span(card: str | Path, store: str | Path) -> float | None:
    """Return the length of the median object on the canvas."""
    objects = read_json(card).get("objects")
    if not objects:
        return None
    geometry = read_csv(Path(store) / "geometry.csv")
    scale = (geometry["height"] / geometry["original_height"]).median()
    return float(objects["span"] * scale)


Point = tuple[float, float]
INK, FAINT = "#222222", "#777777"
MARGIN = 0.30
STEP = 0.18  # from one line of the legend to the next
OVER = 9  # points that an arrow rises to pass over boxes
READING = "above each box: channels, height × width of the feature map"


def draw_sketch(table: pd.DataFrame, title: str, out_svg: str | Path, out_png: str | Path, footnote: str = "") -> None:
    """Draw the network of a `segstudy.models.layer_table.layer_table`; the same table gives the same bytes.

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
    colours = colours_of(stages)
    return _draw(place(stages, colours), colours, title, footnote)


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
    parts = [
        element("caption", caption),
        element("thead", _row(heads, "th")),
        element("tbody", "\n", Markup("\n").join(_row(row, "td") for row in rows), "\n"),
        element("tfoot", _row(["all layers", "", "", "", f"{table['parameters'].sum():,}", ""], "td")),
    ]
    body = element("div", element("table", Markup("\n").join(parts)), class_="scroll")
    write_text(html_file, page(caption, body))


def _row(cells: Iterable[object], tag: str) -> Markup:
    return element("tr", *(element(tag, cell) for cell in cells))


def _draw(boxes: list[Box], colours: dict[tuple[str, str], str], title: str, footnote: str) -> Figure:
    notes = footnote.splitlines()
    left, right = min(b.x for b in boxes) - 0.2, max(b.x + b.width for b in boxes) + 0.3
    top, base = max(b.y + b.height for b in boxes) + 2 * LINE + 0.45, min(b.y for b in boxes)
    legend_width = max([text_width(READING, LABEL_SIZE), *(0.32 + text_width(o, LABEL_SIZE) for _, o in colours)])
    notes_width = max((text_width(note, LABEL_SIZE) for note in notes), default=0.0)
    right = max(right, left + legend_width + notes_width + 0.6, left + 1.2 * text_width(title, TITLE_SIZE))
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
    taking = {(box.stage.kind, box.stage.operation) for box in boxes if box.stage.source}
    _write_legend(axes, colours, taking, left, bottom + STEP * len(colours))
    for i, note in enumerate(reversed(notes)):
        axes.text(right, bottom + i * STEP, note, fontsize=LABEL_SIZE, color=INK, ha="right", va="center")
    return figure


def _patches(boxes: list[Box]) -> Iterator[Any]:
    by_name = {box.stage.name: box for box in boxes}
    joined = joined_parts([box.stage for box in boxes])
    for i, box in enumerate(boxes):
        order = 3 if i in joined else 2  # the upsampled part lies on its join
        yield Rectangle((box.x, box.y), box.width, box.height, fc=box.colour, ec=INK, lw=0.7, zorder=order)
        if box.stage.source:
            source = by_name[box.stage.source]
            row = [b for k, b in enumerate(boxes) if k not in joined and abs(b.middle - box.middle) < 1e-6]
            if any(source.x < b.x < box.x for b in row):  # over what stands between
                height = max(b.y + b.height for b in row) + 2 * LINE + 0.06
                yield _arrow((source.centre, height), (box.centre, height), FAINT, dashed=True, over=True)
            else:
                yield _arrow((source.x + source.width, source.middle), (box.x, box.middle), FAINT, dashed=True)
    for i, (one, two) in enumerate(pairwise(boxes)):
        if i in joined:
            continue
        colour = INK if two.stage.kind in ("conv", "dilated", "input", "output", "concat") else two.colour
        if two.stage.kind in ("down", "up") and one.x + one.width < two.centre:  # in the next column: aslant
            yield _arrow((one.x + one.width, one.middle), (two.centre, two.y), colour, heavy=True)
        elif two.stage.kind in ("down", "up"):
            down = two.stage.kind == "down"
            start = one.y if down else one.y + one.height + 2 * LINE + 0.02
            end = two.y + two.height + 2 * LINE + 0.02 if down else two.y
            x = two.centre
            yield _arrow((x, start), (x, end), colour, heavy=True)
        else:
            yield _arrow((one.x + one.width, one.middle), (two.x, two.middle), colour)


def _arrow(
    start: Point, end: Point, colour: str, heavy: bool = False, dashed: bool = False, over: bool = False
) -> FancyArrowPatch:
    return FancyArrowPatch(
        start,
        end,
        connectionstyle=f"arc,angleA=90,angleB=90,armA={OVER},armB={OVER},rad=4" if over else "arc3",
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
    joined = joined_parts([box.stage for box in boxes])
    for i, box in enumerate(boxes):
        if i in joined:  # both parts of the join: channels inside; the label above it is the join's own
            join = boxes[i + 1]
            copied = join.x + (join.width - box.width) / 2
            style = {"fontsize": LABEL_SIZE, "rotation": 90, "ha": "center", "va": "center", "zorder": 4}
            axes.text(box.centre, box.middle, f"{box.stage.channels}", color="white", **style)
            axes.text(copied, box.middle, f"{join.stage.channels - box.stage.channels}", color=INK, **style)
            continue
        channels, size = label(box.stage)
        top = box.y + box.height + 0.04
        style = {"fontsize": LABEL_SIZE, "ha": "center", "color": INK}
        axes.text(box.centre, top + LINE, channels, weight="bold", **style)
        axes.text(box.centre, top, size, **style)


def _write_legend(
    axes: Any, colours: dict[tuple[str, str], str], taking: set[tuple[str, str]], x: float, top: float
) -> None:
    """Write what colours mean; operations in `taking` have an arrow from an earlier layer."""
    for i, ((kind, operation), colour) in enumerate(colours.items()):
        y = top - i * STEP
        start = 0.0
        if (kind, operation) in taking:
            start = 0.11
            axes.plot([x, x + start], [y, y], color=FAINT, lw=0.9, linestyle=(0, (2, 1)))
        axes.add_patch(Rectangle((x + start, y - 0.045), 0.22 - start, 0.09, fc=colour, ec=INK, lw=0.6))
        axes.text(x + 0.32, y, operation, fontsize=LABEL_SIZE, va="center", color=INK)
    axes.text(x, top - len(colours) * STEP, READING, fontsize=LABEL_SIZE, va="center", color=FAINT)
