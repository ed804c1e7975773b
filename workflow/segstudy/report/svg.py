"""Drawings that are SVG inside the page: they take its colours, light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from segstudy.core.markup import element
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
TIP = {"refX": 7, "refY": 4, "markerWidth": 7, "markerHeight": 7}  # of the arrows


def pareto_svg(plot: Scores) -> Markup:
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

    middle, centre = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts = []
    for tick in _ticks(y0, y1):
        parts.append(_line("grid", LEFT, y(tick), WIDTH - RIGHT, y(tick)))
        parts.append(_text("tick", LEFT - 8, y(tick) + 4, f"{tick:g}", "end"))
    for tick in _log_ticks(x0, x1):
        parts.append(_line("grid", x(tick), TOP, x(tick), HEIGHT - BOTTOM))
        parts.append(_text("tick", x(tick), HEIGHT - BOTTOM + 18, f"{tick:g}"))
    parts.append(_text("axis", middle, HEIGHT - 8, "seconds of a training"))
    parts.append(_text("axis", 16, centre, f"{plot.metric}, test images", turned=f"rotate(-90 16 {centre})"))
    front = sorted((point for point in plot.points if point.front), key=lambda point: point.seconds)
    path = " ".join(f"{x(point.seconds):.1f},{y(point.score):.1f}" for point in front)
    parts.append(element("polyline", class_="front", points=path))
    for point, low, high in zip(plot.points, lows, highs, strict=True):
        parts.append(_line("range", x(point.seconds), y(low), x(point.seconds), y(high)))
    for i, point in enumerate(plot.points, 1):
        at, up = x(point.seconds), y(point.score)
        css = "point front" if point.front else "point"
        circle = element("circle", class_=css, cx=f"{at:.1f}", cy=f"{up:.1f}", r=10)
        parts.append(element("g", element("title", point.label), circle, _text(f"mark {css}", at, up + 4, str(i))))
    if plot.phantom:
        parts.append(_text("phantom", middle, HEIGHT / 2, "PHANTOM"))
    title = f"{plot.metric} on {plot.dataset} against seconds of training"
    return _drawing("pareto", WIDTH, HEIGHT, f"{title}. {_told(plot)}", parts)


def flow_svg(settings: Mapping[str, Any]) -> Markup:
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
    tip = element("path", class_="tip", d="M0 0 8 4 0 8z")
    parts = [element("defs", element("marker", tip, id="tip", viewBox="0 0 8 8", orient="auto", **TIP))]
    for a, b in ARROWS:
        (x1, y1), (x2, y2) = places[a], places[b]
        if y1 == y2:
            start, end = (x1 + BOX[0] / 2, y1 + BOX[1] / 2), (x2 - BOX[0] / 2, y2 + BOX[1] / 2)
        else:
            start, end = (x1, y1 + BOX[1]), (x2, y2)
        bend = (start[1] + end[1]) / 2
        path = f"M{start[0]} {start[1]} C{start[0]} {bend} {end[0]} {bend} {end[0]} {end[1]}"
        parts.append(element("path", class_="arrow", marker_end="url(#tip)", d=path))
    for stage in STAGES:
        for name, each in stage:
            left, top = places[name]
            times = f" × {numbers[each]}" if each else ""
            css, round_ = ("box", 6) if each else ("box file", 20)
            corner = {"x": left - BOX[0] / 2, "y": top, "width": BOX[0], "height": BOX[1]}
            parts.append(element("rect", class_=css, rx=round_, **corner))
            parts.append(_text("step", left, top + 25, f"{name}{times}"))
    order = "; ".join(f"{a} before {b}" for a, b in ARROWS)
    return _drawing("flow", width, height, f"The steps of the study, from raw files to this report. {order}", parts)


def _drawing(css: str, width: float, height: float, words: str, parts: Sequence[Markup]) -> Markup:
    view = f"0 0 {width} {height}"
    return element("svg", *parts, class_=f"drawing {css}", viewBox=view, role="img", aria_label=words)


def _line(css: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return element("line", class_=css, x1=f"{x1:.1f}", x2=f"{x2:.1f}", y1=f"{y1:.1f}", y2=f"{y2:.1f}")


def _text(css: str, x: float, y: float, words: str, anchor: str = "middle", turned: str | None = None) -> Markup:
    return element("text", words, class_=css, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, transform=turned)


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
    ticks = [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= math.log10(m * 10.0**d) <= high]
    return ticks if len(ticks) > 1 else [tick for tick in _ticks(10**low, 10**high) if tick > 0]
