"""Drawings of the page's own, as SVG in the page: they take its colours, light and dark."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from segstudy.report.cost import Scores

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 16, 48
# Every step, in rows, with what it is done once for; the places are chosen so that no arrow runs through a box.
STAGES = (
    (("raw files", ""),),
    (("index", "datasets"), ("describe", "datasets")),
    (("split", "splits"), ("check_split", "splits"), ("check_images", "datasets")),
    (("controls", "splits"), ("preprocess", "datasets")),
    (("train", "cells"),),
    (("predict", "cells"),),
    (("measure", "cells"),),
    (("compare", "experiments"), ("comparisons", "experiments"), ("ranking", "experiments")),
    (("this report", ""),),
)
ARROWS = (
    *(("raw files", "index"), ("index", "describe"), ("index", "split"), ("describe", "split")),
    *(("describe", "check_images"), ("split", "check_split"), ("check_images", "preprocess"), ("split", "controls")),
    *(("preprocess", "train"), ("check_split", "train"), ("train", "predict"), ("predict", "measure")),
    *(("measure", "compare"), ("measure", "comparisons"), ("measure", "ranking"), ("controls", "compare")),
    *(("compare", "this report"), ("comparisons", "this report"), ("ranking", "this report")),
)
BOX, ROW, COLUMN = (150, 40), 74, 176


def pareto_svg(plot: Scores) -> str:
    """Return the plot of score against seconds of training (logarithmic), numbered points and the Pareto front."""
    seconds = [math.log10(max(point.seconds, 1e-3)) for point in plot.points]
    lows = [point.low if not math.isnan(point.low) else point.score for point in plot.points]
    highs = [point.high if not math.isnan(point.high) else point.score for point in plot.points]
    x0, x1 = _padded(min(seconds), max(seconds), 0.12, 0.05)
    y0, y1 = _padded(min(lows), max(highs), 0.08, 0.005)

    def x(value: float) -> float:
        return LEFT + (math.log10(max(value, 1e-3)) - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)

    parts = [
        _open("pareto", WIDTH, HEIGHT, f"{plot.metric} on {plot.dataset} against seconds of training", _told(plot))
    ]
    for tick in _ticks(y0, y1):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _log_ticks(x0, x1):
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        place = f'x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 18}"'
        parts.append(f'<text class="tick" {place} text-anchor="middle">{tick:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">seconds of a training</text>')
    turned = f"rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2})"
    parts.append(
        f'<text class="axis" x="16" y="{(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" transform="{turned}">'
        f"{html.escape(plot.metric)}, test images</text>"
    )
    front = sorted((point for point in plot.points if point.front), key=lambda point: point.seconds)
    path = " ".join(f"{x(point.seconds):.1f},{y(point.score):.1f}" for point in front)
    parts.append(f'<polyline class="front" points="{path}"/>')
    for point, low, high in zip(plot.points, lows, highs, strict=True):
        at = x(point.seconds)
        parts.append(f'<line class="range" x1="{at:.1f}" x2="{at:.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}"/>')
    for i, point in enumerate(plot.points, 1):
        at, up = x(point.seconds), y(point.score)
        kind = "point front" if point.front else "point"
        parts.append(f'<g><title>{html.escape(point.label)}</title><circle class="{kind}" cx="{at:.1f}" cy="{up:.1f}"')
        parts.append(
            f' r="10"/><text class="mark {kind}" x="{at:.1f}" y="{up + 4:.1f}" text-anchor="middle">{i}</text>'
        )
        parts.append("</g>")
    if plot.phantom:
        parts.append(f'<text class="phantom" x="{middle}" y="{HEIGHT / 2}" text-anchor="middle">PHANTOM</text>')
    return "".join([*parts, "</svg>"])


def flow_svg(settings: Mapping[str, Any]) -> str:
    """Return the steps of the study from raw files to this report, with how often each was done."""
    cells = {tuple(cell) for experiment in settings["experiments"].values() for cell in experiment["cells"]}
    cells |= {tuple(cell) for cell in settings["ancestors"]}
    numbers = {
        "datasets": len(settings["datasets"]),
        "splits": len({(cell[0], cell[-1]) for cell in cells}),
        "cells": len(cells),
        "experiments": len(settings["experiments"]),
    }
    across = max(map(len, STAGES))
    width, height = across * COLUMN, len(STAGES) * ROW - ROW + BOX[1] + 16
    places: dict[str, tuple[float, float]] = {}
    for row, stage in enumerate(STAGES):
        for column, (name, _) in enumerate(stage):
            left = width / 2 + (column - (len(stage) - 1) / 2) * COLUMN
            places[name] = (left, 8.0 + row * ROW)
    told = "; ".join(f"{a} before {b}" for a, b in ARROWS)
    parts = [_open("flow", width, height, "The steps of the study, from raw files to this report", told)]
    parts.append('<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" ')
    parts.append('orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>')
    for a, b in ARROWS:
        (x1, y1), (x2, y2) = places[a], places[b]
        if y1 == y2:
            start, end = (x1 + BOX[0] / 2, y1 + BOX[1] / 2), (x2 - BOX[0] / 2, y2 + BOX[1] / 2)
        else:
            start, end = (x1, y1 + BOX[1]), (x2, y2)
        parts.append(f'<path class="arrow" marker-end="url(#tip)" d="M{start[0]} {start[1]}')
        bend = (start[1] + end[1]) / 2
        parts.append(f' C{start[0]} {bend} {end[0]} {bend} {end[0]} {end[1]}"/>')
    for stage in STAGES:
        for name, each in stage:
            left, top = places[name]
            times = f" × {numbers[each]}" if each else ""
            corner = f'x="{left - BOX[0] / 2}" y="{top}" width="{BOX[0]}" height="{BOX[1]}"'
            parts.append(f'<rect class="box{"" if each else " file"}" {corner} rx="{6 if each else 20}"/>')
            parts.append(f'<text class="step" x="{left}" y="{top + 25}" text-anchor="middle">{name}{times}</text>')
    return "".join([*parts, "</svg>"])


def _open(kind: str, width: float, height: float, title: str, told: str) -> str:
    label = html.escape(f"{title}. {told}", quote=True)
    return f'<svg class="drawing {kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'


def _told(plot: Scores) -> str:
    return "; ".join(
        f"{i}: {point.label}, {point.score:.3f} after {point.seconds:.0f} s" for i, point in enumerate(plot.points, 1)
    )


def _padded(low: float, high: float, share: float, least: float) -> tuple[float, float]:
    pad = max(share * (high - low), least)
    return low - pad, high + pad


def _ticks(low: float, high: float) -> Sequence[float]:
    """Return about five round numbers between two."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> Sequence[float]:
    """Return the round numbers between two powers of ten: 1, 2, 5 of each decade, or round steps within one."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    found = [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= math.log10(m * 10.0**d) <= high]
    return found if len(found) > 1 else [tick for tick in _ticks(10**low, 10**high) if tick > 0]
