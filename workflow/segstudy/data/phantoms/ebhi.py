"""Phantom of EBHI-SEG: stained tissue with glands, whose shape and filling say the class and whose stain the case."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from segstudy.config.datasets import Phantom
from segstudy.core.progress import track
from segstudy.data.phantoms.texture import Floats, blend, grid, smooth_noise, soft, to_picture
from segstudy.data.readers.ebhi import STRATA

FOLDER = "EBHI-SEG"

_ORDER = (0, 2, 4, 3, 1, 5, 0, 2, 4, 0)  # of ten tiles: the large classes more often, each of the six within six tiles
_TILES = 3  # of a case in a class


class Look(NamedTuple):
    """How the glands of a class look; lengths in shares of the tile's side or of the gland's radius."""

    spacing: float  # from gland to gland
    radius: float  # over half the spacing
    stretch: float  # length over width, at most
    rough: float  # irregularity of the border
    lumen: float  # radius of the white inside
    rim: float  # where the dark rim of nuclei begins
    pale: float  # of the cells between lumen and rim: 1 is mucus, 0 dark
    teeth: float  # of a lumen cut like a saw


_LOOKS = {
    "High-grade IN": Look(0.30, 1.05, 1.9, 0.22, 0.20, 0.35, 0.15, 0.0),
    "Low-grade IN": Look(0.34, 0.92, 2.4, 0.12, 0.30, 0.45, 0.30, 0.0),
    "Normal": Look(0.22, 0.80, 1.2, 0.04, 0.16, 0.86, 0.95, 0.0),
    "Polyp": Look(0.32, 0.72, 1.6, 0.08, 0.25, 0.75, 0.70, 0.0),
    "Serrated adenoma": Look(0.30, 0.85, 1.5, 0.08, 0.34, 0.62, 0.45, 0.40),
}


def draw(folder: Path, options: Phantom) -> None:
    """Draw tiles with one grey mask each, three of a case.

    As in the real data set the first case of low-grade and high-grade tissue is one case with the same file names in
    both classes, the prefix is spelt in several ways, and masks have grey edges and a white of 253 or 255.
    """
    seen: Counter[str] = Counter()
    for i in track(range(options.images), "drawing EBHI-SEG phantoms"):
        stratum = STRATA[_ORDER[i % len(_ORDER)]]
        block, tile = divmod(seen[stratum], _TILES)
        seen[stratum] += 1
        both = block == 0 and stratum in ("High-grade IN", "Low-grade IN")
        case = 2012000 if both else 2013000 + 1000 * STRATA.index(stratum) + block
        name = f"{('GT', 'GTxc', 'GTXC')[case % 3]}{case}-1-400-{tile + 1:03d}.png"
        stain = np.random.default_rng([options.seed, 40, case])
        picture, tissue = _tile(np.random.default_rng([options.seed, 41, i]), stain, options, stratum)
        for part, drawn in (("image", picture), ("label", tissue)):
            path = folder / stratum / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            drawn.save(path)


def _tile(
    rng: np.random.Generator, stain: np.random.Generator, options: Phantom, stratum: str
) -> tuple[Image.Image, Image.Image]:
    """Return an RGB tile and its grey mask; `stain` gives what the tiles of a case share."""
    shape = (options.height, options.width)
    side = min(shape)
    purple = np.array([96, 52, 138]) * stain.uniform(0.8, 1.15) + stain.normal(0, 9, 3)
    pink = np.array([206, 142, 186]) * stain.uniform(0.85, 1.08) + stain.normal(0, 10, 3)
    mucus = np.array([206, 190, 222]) + stain.normal(0, 8, 3)
    grain = np.abs(smooth_noise(rng, shape, max(3.0, side / 45)))  # nuclei
    picture = _stroma(rng, shape, pink, purple, grain)
    if stratum == "Adenocarcinoma":
        distance, inside, saw = _sheet(rng, shape), np.full(shape, 0.5), np.ones(shape)
        look = Look(0.3, 1.0, 1.0, 0.0, 0.0, 0.0, 0.1, 0.0)
    else:
        look = _LOOKS[stratum]
        distance, inside, saw = _glands(rng, shape, look)
    cells = purple + (mucus - purple) * look.pale * (0.75 + 0.25 * soft(1 - grain, 0.5))[..., None]
    cells = cells * (1 - 0.18 * np.clip(grain - 0.8, -1, 1))[..., None]
    picture = blend(picture, cells, soft(distance, 0.012 * side))
    rim = soft(look.rim - inside, 0.08) * soft(distance, 0.01 * side)
    picture = blend(picture, 0.9 * purple, 0.75 * rim)
    holes = (
        soft(inside * saw - look.lumen, 0.05) if look.lumen else soft(1.9 - grain, 0.3) * soft(distance, 0.02 * side)
    )
    picture = blend(picture, [244, 238, 246], 0.9 * holes)
    picture += rng.normal(0, 4, (*shape, 3))
    white = 253 if rng.random() < 0.3 else 255
    return to_picture(picture), Image.fromarray(np.rint(white * soft(distance, 0.003 * side)).astype(np.uint8))


def _stroma(rng: np.random.Generator, shape: tuple[int, int], pink: Floats, purple: Floats, grain: Floats) -> Floats:
    """Return what lies between the glands: fibres, nuclei, dark crowds and white tears, none of them a gland."""
    side = min(shape)
    light = 1 + 0.06 * smooth_noise(rng, shape, side / 3) + 0.04 * smooth_noise(rng, shape, side / 20)
    picture = pink * light[..., None]
    picture = blend(picture, purple, 0.7 * soft(1.35 - grain, 0.4))
    crowds = soft(1.2 - smooth_noise(rng, shape, side / 8), 0.5)
    picture = blend(picture, 0.95 * purple, 0.6 * crowds)
    tears = soft(2.0 - smooth_noise(rng, shape, side / 10), 0.2)
    return blend(picture, [242, 236, 244], 0.85 * tears)


def _sheet(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return roughly the signed distance to irregular masses that grow without glands, negative inside."""
    side = min(shape)
    field = smooth_noise(rng, shape, side / 2.5) + 0.25 * smooth_noise(rng, shape, side / 10)
    return (np.quantile(field, rng.uniform(0.25, 0.5)) - field) * 0.12 * side


def _glands(rng: np.random.Generator, shape: tuple[int, int], look: Look) -> tuple[Floats, Floats, Floats]:
    """Return roughly the signed distance in pixels to the glands, negative inside, and of the nearest one two more.

    These are the place (0 at its centre, 1 at its border), and what the place is multiplied with where the lumen is
    cut like a saw.
    """
    side, (rows, columns) = min(shape), grid(shape)
    step = look.spacing * side * rng.uniform(0.85, 1.25)
    lean, across = rng.uniform(0, np.pi), rng.uniform(1, look.stretch)
    distance, place, saw = np.full(shape, np.inf), np.ones(shape), np.ones(shape)
    for y in np.arange(-0.5, shape[0] / step + 1):
        for x in np.arange(-0.5, shape[1] / step + 1):
            centre = (np.array([y, x]) + 0.5 * (y % 2 > 1) * np.array([0, 1]) + rng.uniform(-0.16, 0.16, 2)) * step
            radius = look.radius * step / 2 * rng.uniform(0.85, 1.15)
            waves = rng.normal(0, look.rough, 4) / np.arange(2, 6)
            turn, tooth = rng.uniform(0, 2 * np.pi, 4), rng.integers(7, 12)
            if rng.random() < 0.12:
                continue  # a gap in the pattern
            down, right = rows - centre[0], columns - centre[1]
            angle = lean + rng.normal(0, 0.2)
            u = (np.cos(angle) * right + np.sin(angle) * down) / across**0.5
            v = (-np.sin(angle) * right + np.cos(angle) * down) * across**0.5
            theta = np.arctan2(v, u)
            border = radius * (1 + sum(w * np.cos((k + 2) * theta + turn[k]) for k, w in enumerate(waves)))
            away = np.hypot(u, v) - border
            nearest = away < distance
            distance[nearest] = away[nearest]
            place[nearest] = (np.hypot(u, v) / border)[nearest]
            saw[nearest] = 1 + look.teeth * np.cos(tooth * theta[nearest])
    return distance, place, saw
