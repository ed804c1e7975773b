"""Phantom of the CMP facades: houses with floors of windows and all that hangs on them, from a small grammar."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segstudy.config.datasets import Phantom
from segstudy.core.files import write_picture, write_text
from segstudy.core.progress import track
from segstudy.data.images.label_map import BACKGROUND
from segstudy.data.phantoms.texture import to_picture
from segstudy.data.readers.cmp import CLASSES, COLOURS
from tests.helpers.phantoms.cmp_facade import Box, paint

FOLDER = "CMP_facade_DB"

SMALLEST = 0.65  # of the configured height or width; real facades have as many sizes as there are facades
_VALUES = {name: value for value, name in enumerate((BACKGROUND, *CLASSES), start=1)}
_PALETTE = [0, 0, 0, *(channel for colour in COLOURS for channel in colour)]


class Part(NamedTuple):
    """A rectangle of a class; edges in shares of the picture's height (top, bottom) and width (left, right)."""

    name: str
    top: float
    left: float
    bottom: float
    right: float


class Style(NamedTuple):
    """What a house has on all its floors (1 or 0), or how often houses have it."""

    cornices: float
    sills: float
    balconies: float
    blinds: float
    decos: float
    pillars: float
    shops: float


def draw(folder: Path, options: Phantom) -> None:
    """Draw photographs (JPEG), label files (palette PNG of the values 1 to 12) and outlines (XML) side by side.

    Five in eight are of the base part, the others of the extended one, as in the real data set; each has a size of its
    own, up to the configured one. The XML files have no root element, as the real ones.
    """
    base = round(options.images * 5 / 8)
    names = [("base", f"cmp_b{n + 1:04d}") for n in range(base)]
    names += [("extended", f"cmp_x{n + 1:04d}") for n in range(options.images - base)]
    for i, (half, name) in track(list(enumerate(names)), "drawing CMP phantoms"):
        rng = np.random.default_rng([options.seed, 41, i])
        height, width = (max(32, round(side * rng.uniform(SMALLEST, 1))) for side in (options.height, options.width))
        parts = facade(rng, _style(rng, i))
        boxes = [_box(part, height, width) for part in parts]
        values = rasterise(boxes, (height, width))
        picture = to_picture(paint(rng, (height, width), boxes))
        labels = Image.fromarray(values, mode="P")
        labels.putpalette(_PALETTE)
        place = folder / f"CMP_facade_DB_{half}" / half
        place.mkdir(parents=True, exist_ok=True)
        write_picture(place / f"{name}.jpg", picture, quality=75)
        labels.save(place / f"{name}.png")
        write_text(place / f"{name}.xml", "".join(map(_outline, parts)))


def facade(rng: np.random.Generator, style: Style) -> list[Part]:
    """Return the parts of one house, those in front last: ground floor, two to four floors, three to five axes."""
    house = Part("facade", rng.uniform(0.03, 0.11), _gap(rng), 1 - rng.uniform(0.02, 0.07), 1 - _gap(rng))
    axes, floors = int(rng.integers(3, 6)), int(rng.integers(2, 5))
    roof, ground = rng.uniform(0.04, 0.08), rng.uniform(1.1, 1.5)
    storey = (house.bottom - house.top - roof) / (floors + ground)
    axis = (house.right - house.left) / axes
    band = storey * rng.uniform(0.1, 0.18)
    parts = [house, Part("molding", house.top, house.left, house.top + roof, house.right)]
    tops = [house.top + roof + floor * storey for floor in range(floors)]
    street = tops[-1] + storey
    parts += [Part("molding", top + storey - band, house.left, top + storey, house.right) for top in tops]
    lines = [house.left + n * axis for n in range(1, axes)]
    if style.pillars:
        above, below = (tops[0], street - band) if rng.random() < 0.5 else (street, house.bottom)
        half = axis * rng.uniform(0.06, 0.09)
        parts += [Part("pillar", above, x - half, below, x + half) for x in lines]
    elif style.decos:
        half, height = axis * rng.uniform(0.11, 0.15), storey * rng.uniform(0.25, 0.4)
        middle = [top + 0.42 * storey for top in tops]
        parts += [Part("deco", y - height / 2, x - half, y + height / 2, x + half) for y in middle for x in lines]
    middles = [house.left + (n + 0.5) * axis for n in range(axes)]
    size = (storey * rng.uniform(0.48, 0.54), axis * rng.uniform(0.46, 0.56))
    hung = rng.random(axes) < 0.5  # axes with balconies
    hung[int(rng.integers(axes))] = True
    for top in tops:
        for x, balcony in zip(middles, hung, strict=True):
            parts += _window(rng, style, top + 0.19 * storey, x, size, bool(balcony and style.balconies))
    return parts + _ground_floor(rng, style, (street, house.bottom), middles, axis)


def _window(
    rng: np.random.Generator, style: Style, top: float, x: float, size: tuple[float, float], balcony: bool
) -> list[Part]:
    """Return a window of `size` (height, width) with what is above, below and over it; `x` is its middle."""
    height, width = size
    bottom, left, right = top + height, x - width / 2, x + width / 2
    parts = [Part("window", top, left, bottom, right)]
    if style.cornices:
        parts += [Part("cornice", top - 0.22 * height, x - 0.7 * width, top - 0.02 * height, x + 0.7 * width)]
    if style.blinds and rng.random() < 0.7:
        shutters = [(top, left, bottom, left + 0.3 * width), (top, right - 0.3 * width, bottom, right)]
        rolled = [(top, left, top + height * rng.uniform(0.3, 0.6), right)]
        parts += [Part("blind", *edges) for edges in (shutters if rng.random() < 0.6 else rolled)]
    if balcony:
        return [*parts, Part("balcony", bottom - 0.4 * height, x - 0.8 * width, bottom + 0.1 * height, x + 0.8 * width)]
    if style.sills:
        parts += [Part("sill", bottom, x - 0.62 * width, bottom + 0.2 * height, x + 0.62 * width)]
    return parts


def _ground_floor(
    rng: np.random.Generator, style: Style, span: tuple[float, float], middles: list[float], axis: float
) -> list[Part]:
    """Return one door, and shops or windows on the other axes, between `span` (top, bottom)."""
    height, parts = span[1] - span[0], []
    entrance = int(rng.integers(len(middles)))
    for n, x in enumerate(middles):
        if n == entrance:
            parts += [Part("door", span[0] + 0.22 * height, x - 0.2 * axis, span[1], x + 0.2 * axis)]
        elif style.shops:
            parts += [Part("shop", span[0] + 0.16 * height, x - 0.36 * axis, span[1], x + 0.36 * axis)]
        else:
            parts += [Part("window", span[0] + 0.25 * height, x - 0.2 * axis, span[0] + 0.68 * height, x + 0.2 * axis)]
    return parts


def _style(rng: np.random.Generator, i: int) -> Style:
    """Draw what house `i` has; every feature is there in one of four houses at least."""
    chances = Style(0.7, 0.7, 0.45, 0.3, 0.6, 0.35, 0.2)
    turns = Style(0, 2, 1, 2, 3, 0, 1)
    return Style(*(bool(rng.random() < chance or i % 4 == turn) for chance, turn in zip(chances, turns, strict=True)))


def _gap(rng: np.random.Generator) -> float:
    """Return the share of the width at one side of the house that shows its neighbour; often none."""
    return float(rng.choice([0.0, 1.0]) * rng.uniform(0.02, 0.09))


def _box(part: Part, height: int, width: int) -> Box:
    """Return a part in pixels, at least one in each direction."""
    top, left = (min(round(at * side), side - 1) for at, side in ((part.top, height), (part.left, width)))
    bottom, right = round(part.bottom * height), round(part.right * width)
    return Box(part.name, top, left, max(bottom, top + 1), max(right, left + 1))


def rasterise(boxes: list[Box], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the values 1 to 12 of every pixel (H, W); later boxes cover earlier ones."""
    values = np.full(shape, _VALUES[BACKGROUND], np.uint8)
    for box in boxes:
        values[box.top : box.bottom, box.left : box.right] = _VALUES[box.name]
    return values


def _outline(part: Part) -> str:
    """Return one object of an XML file; in these files x runs down and y to the right."""
    edges = f"<x>{part.top:.5g}</x><x>{part.bottom:.5g}</x><y>{part.left:.5g}</y><y>{part.right:.5g}</y>"
    value = _VALUES[part.name]
    return f"<object><points>{edges}</points><label>{value}</label><labelname>{part.name}</labelname></object>"
