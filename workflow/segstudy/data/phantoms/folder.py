"""Phantom of a folder of one's own: discs to be found among squares and triangles, on uneven ground.

Drawn twice: `masks` marks the discs, `kinds` has a class for each kind of shape, to be read with
`layout: {masks: kinds}` and `classes: {disc: 1, square: 2, triangle: 3}`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segstudy.config.datasets import Phantom
from segstudy.core.files import write_text
from segstudy.core.progress import track
from segstudy.data.phantoms.texture import Floats, blend, grid, smooth_noise, soft, to_picture

FOLDER = "folder"

KINDS = ("disc", "square", "triangle")  # 1, 2, 3 in `kinds`

PLATES = 8  # groups: pictures of one plate share their light and their colours


def draw(folder: Path, options: Phantom) -> None:
    """Draw images, masks, kinds, and samples.csv with plates as groups, each of one of two strata."""
    for part in ("images", "masks", "kinds"):
        (folder / part).mkdir(parents=True)
    lines = ["sample,group,stratum"]
    for number in track(range(1, options.images + 1), "drawing phantoms of a folder"):
        plate = number % PLATES
        picture, kinds = plate_picture(options.seed, plate, number, (options.height, options.width))
        picture.save(folder / "images" / f"{number:03d}.png")
        Image.fromarray((kinds == 1).astype(np.uint8) * 255).save(folder / "masks" / f"{number:03d}_mask.png")
        Image.fromarray(kinds).save(folder / "kinds" / f"{number:03d}.png")
        lines.append(f"{number:03d},plate{plate},{('bright', 'dim')[plate % 2]}")
    write_text(folder / "samples.csv", "\n".join(lines) + "\n")


def plate_picture(seed: int, plate: int, number: int, shape: tuple[int, int]) -> tuple[Image.Image, NDArray[np.uint8]]:
    """Return an RGB picture of size (W, H) and the kinds of its shapes, uint8 (H, W), 0 for the ground."""
    shared, rng = np.random.default_rng([seed, 61, plate]), np.random.default_rng([seed, 62, number])
    side, (rows, columns) = min(shape), grid(shape)
    ground = shared.uniform(60, 110, 3) * (0.6 if plate % 2 else 1.2)
    picture = ground * (1 + 0.15 * smooth_noise(rng, shape, side / 3) + 0.05 * smooth_noise(rng, shape, 4))[..., None]
    kinds = np.zeros(shape, np.uint8)
    colours = ground + shared.choice([-1, 1], (3, 1)) * shared.uniform(30, 100, (3, 3))  # as seen against the ground
    for count, kind in enumerate(["disc", "disc", *rng.choice(KINDS, rng.integers(3, 7))]):
        radius = side * rng.uniform(0.06, 0.15)
        y, x = (rng.uniform(0.12, 0.88) * length for length in shape)
        distance = _distance(kind, rows - y, columns - x, radius, rng.uniform(0, np.pi))
        colour = np.clip(colours[count % 3] * rng.uniform(0.9, 1.1), 0, 255)
        picture = blend(picture, colour, 0.8 * soft(distance, 1.2))
        kinds[distance < 0] = 1 + KINDS.index(kind)
    return to_picture(picture + rng.normal(0, 6, picture.shape)), kinds


def _distance(kind: str, rows: Floats, columns: Floats, radius: float, tilt: float) -> Floats:
    """Return roughly the signed distance in pixels to a shape around (0, 0), negative inside."""
    if kind == "disc":
        return np.hypot(rows, columns) - radius
    corners = 4 if kind == "square" else 3
    sides = [tilt + 2 * np.pi * corner / corners for corner in range(corners)]
    reach = radius * np.cos(np.pi / corners) * 1.2
    return np.max([np.cos(side) * columns + np.sin(side) * rows - reach for side in sides], axis=0)
