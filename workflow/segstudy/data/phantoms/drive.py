"""Phantom of DRIVE: a fundus with optic disc, branching vessels, lesions, a field of view and a second human."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from segstudy.config.datasets import Phantom
from segstudy.core.files import write_picture
from segstudy.core.progress import track
from segstudy.data.phantoms.texture import Floats, blend, grid, smooth_noise, soft, strokes, to_picture

FOLDER = "DRIVE"

_GREY_INDEX = [3, 3, 3, 253, 253, 253]  # the palette of the real 2nd_manual files: index 1 shows as 253


class Segment(NamedTuple):
    """A stretch of vessel: points (n, 2) of x, y and width, in pixels; whether it is an artery (brighter)."""

    points: Floats
    width: float
    artery: bool


class Fundus(NamedTuple):
    """A drawn photograph with everything that people draw on it; masks are bool (H, W)."""

    picture: Image.Image
    vessels: NDArray[np.bool_]
    second: NDArray[np.bool_]
    field: NDArray[np.bool_]


def draw(folder: Path, options: Phantom) -> None:
    """Draw test images from 01 on (at most half of all) and training images from 21 on.

    As in the real data set only the test half has a second human, whose files are palette GIF with indices {0, 1}.
    """
    testing = options.images // 2
    first_training = max(21, testing + 1)
    ids = [("test", 1 + i) for i in range(testing)]
    ids += [("training", first_training + i) for i in range(options.images - testing)]
    for half, number in track(ids, "drawing DRIVE phantoms"):
        fundus = draw_fundus(np.random.default_rng([options.seed, 31, number]), (options.height, options.width))
        name = f"{number:02d}"
        save(fundus.picture, folder / half / "images" / f"{name}_{half}.tif", compression="tiff_lzw")
        save(grey(fundus.vessels), folder / half / "1st_manual" / f"{name}_manual1.gif", optimize=False)
        save(grey(fundus.field), folder / half / "mask" / f"{name}_{half}_mask.gif", optimize=False)
        if half == "test":
            second = Image.fromarray(fundus.second.astype(np.uint8), mode="P")
            second.putpalette(_GREY_INDEX)
            save(second, folder / half / "2nd_manual" / f"{name}_manual2.gif", optimize=False)


def draw_fundus(rng: np.random.Generator, shape: tuple[int, int], *, healthy: float = 0.4, cup: float = 0.45) -> Fundus:
    """Return a fundus photograph of (H, W) `shape` with its vessels, a second drawing of them and its field of view.

    `healthy` is the probability that it has no lesions, `cup` the radius of the bright cup over that of the disc.
    """
    side = min(shape)
    rows, columns = grid(shape)
    centre = np.array(shape) / 2 + rng.uniform(-0.01, 0.01, 2) * side
    away = np.hypot(rows - centre[0], columns - centre[1])
    radius = 0.475 * side
    field = away < radius
    eye = rng.choice([-1, 1])
    disc = np.array([shape[1] / 2 + eye * 0.29 * side, shape[0] / 2 + rng.uniform(-0.04, 0.04) * side])  # x, y
    macula = np.array([shape[1] / 2 - eye * 0.06 * side, shape[0] / 2 + rng.uniform(-0.03, 0.05) * side])
    tree = _tree(rng, disc, eye, side, centre[::-1], radius)
    picture = _background(rng, shape, disc, macula, cup)
    picture = _vessels(picture, tree, shape, rng)
    picture = _lesions(rng, picture, field, healthy)
    picture *= (1 - 0.45 * (away / radius) ** 3 * rng.uniform(0.5, 1.1))[..., None]
    picture = gaussian_filter(picture, (0.5, 0.5, 0)) + rng.normal(0, 3, (*shape, 3))
    shown = soft(away - radius, 1.0)
    dark = rng.uniform(0, 6, (*shape, 3))
    first = (strokes(shape, [(s.points, s.width, 1.0) for s in tree]) > 0.5) & field
    return Fundus(to_picture(dark + (picture - dark) * shown[..., None]), first, _second(rng, tree, field), field)


def _tree(rng: np.random.Generator, disc: Floats, eye: int, side: int, centre: Floats, radius: float) -> list[Segment]:
    """Grow vessels out of the disc: two arcades, two nasal trunks, an artery and a vein each."""
    segments: list[Segment] = []
    temporal = np.pi if eye > 0 else 0.0
    trunks = [(temporal + up * eye * rng.uniform(0.85, 1.3), 1.0, -float(up * eye)) for up in (-1, 1)]
    trunks += [(temporal + np.pi + up * eye * rng.uniform(0.5, 1.0), 0.75, 0.0) for up in (-1, 1)]
    trunks += [(temporal + rng.uniform(-0.5, 0.5), 0.4, 0.0)]
    tips = []
    for angle, share, turn in trunks:
        for artery in (False, True):
            width = side * rng.uniform(0.015, 0.02) * share * (0.8 if artery else 1.0)
            start = disc + rng.normal(0, 0.012, 2) * side
            bend = turn * rng.uniform(0.5, 0.9) / (0.5 * side)
            tips.append((start, angle + (0.16 if artery else -0.16) + rng.normal(0, 0.06), width, bend, artery))
    thinnest = max(1.0, 0.0045 * side)
    crowd: dict[tuple[int, int], int] = {}  # vessels share the retina: a full patch takes no further branch
    while tips:
        start, angle, width, bend, artery = tips.pop(0)
        points, angle = _grow(rng, start, angle, bend, side, width)
        segments.append(Segment(points, max(width, thinnest), artery))
        patch = (int(points[-1][0] * 16 / side), int(points[-1][1] * 16 / side))
        crowd[patch] = crowd.get(patch, 0) + 1
        full = crowd[patch] > (2 if width < 0.012 * side else 4)
        if np.hypot(*(points[-1] - centre)) > 1.02 * radius or width < 0.0055 * side or full:
            continue
        # Murray's law: the cubes of the widths add up at a branching.
        part = rng.uniform(0.1, 0.45) if rng.random() < 0.6 else 0.0
        sign = rng.choice([-1, 1])
        tips.append((points[-1], angle - 0.25 * sign * part, width * (1 - part) ** (1 / 3) * 0.975, bend, artery))
        if part:
            tips.append((points[-1], angle + sign * rng.uniform(0.5, 1.1), width * part ** (1 / 3), -bend / 3, artery))
    return segments


def _grow(
    rng: np.random.Generator, start: Floats, angle: float, bend: float, side: int, width: float
) -> tuple[Floats, float]:
    """Return the points of one stretch (n, 2) and the direction at its end; thin vessels wind more."""
    steps = int(rng.integers(5, 11))
    step = side * rng.uniform(0.009, 0.015)
    points = [start]
    for _ in range(steps):
        angle += bend * step + rng.normal(0, 0.05 + 0.0007 * side / max(width, 0.5))
        points.append(points[-1] + step * np.array([np.cos(angle), np.sin(angle)]))
    return np.array(points), angle


def _background(rng: np.random.Generator, shape: tuple[int, int], disc: Floats, macula: Floats, cup: float) -> Floats:
    side, (rows, columns) = min(shape), grid(shape)
    base = np.array([196, 104, 52]) * rng.uniform(0.8, 1.1) + rng.normal(0, 5, 3)
    patches = 0.05 * smooth_noise(rng, shape, side / 4) + 0.03 * smooth_noise(rng, shape, side / 18)
    streaks = 0.025 * np.abs(smooth_noise(rng, shape, side / 40))
    picture = base * (1 + patches - streaks)[..., None]
    to_macula = np.hypot(rows - macula[1], columns - macula[0])
    picture *= (1 - 0.38 * np.exp(-((to_macula / (0.085 * side)) ** 2)))[..., None]
    size = side * rng.uniform(0.062, 0.075)
    to_disc = np.hypot((rows - disc[1]) / 1.08, columns - disc[0])
    picture = blend(picture, [236, 190, 112], 0.9 * soft(to_disc - size, side * 0.014))
    return blend(picture, [252, 232, 176], 0.7 * soft(to_disc - cup * size, side * 0.02))


def _vessels(picture: Floats, tree: list[Segment], shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Darken the vessels: veins more than arteries, thin ones hardly, and all of them less on one side."""
    side = min(shape)
    lines = []
    for segment in tree:
        contrast = np.clip(0.34 + 28 * segment.width / side, 0.35, 0.9) * (0.78 if segment.artery else 1.0)
        lines.append((segment.points, segment.width * 1.1, float(contrast) * rng.uniform(0.8, 1.0)))
    cover = gaussian_filter(strokes(shape, lines), 0.35 + 0.0012 * side)
    cover = cover * (1 + 0.15 * smooth_noise(rng, shape, side / 3))
    return picture * (1 - np.clip(cover, 0, 1)[..., None] * np.array([0.32, 0.62, 0.5]))


def _lesions(rng: np.random.Generator, picture: Floats, field: NDArray[np.bool_], healthy: float) -> Floats:
    """Add dark bleedings, coloured like vessels, and bright exudates; none of them is a vessel."""
    shape = (picture.shape[0], picture.shape[1])
    side, (rows, columns) = min(shape), grid(shape)
    if rng.random() < healthy:
        return picture
    for kind in rng.choice(["dark", "bright"], rng.integers(3, 14)):
        y, x = rng.uniform(0.15, 0.85) * shape[0], rng.uniform(0.2, 0.8) * shape[1]
        if not field[int(y), int(x)]:
            continue
        radius = side * rng.uniform(0.005, 0.02)
        away = np.hypot(rows - y, (columns - x) * rng.uniform(0.7, 1.4)) + smooth_noise(rng, shape, 6) * radius * 0.2
        colour = [112, 36, 24] if kind == "dark" else [240, 214, 120]
        picture = blend(picture, colour, rng.uniform(0.5, 0.85) * soft(away - radius, 0.8 + side * 0.002))
    return picture


def _second(rng: np.random.Generator, tree: list[Segment], field: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what a second human draws: thin branches left out, other widths, lines a little beside the first's."""
    shape = (field.shape[0], field.shape[1])
    side = min(shape)
    hand = rng.uniform(0.85, 1.15)
    lines = []
    for segment in tree:
        if segment.width < 0.008 * side and rng.random() < 0.22:
            continue
        lines.append((segment.points, max(0.8, segment.width * hand * rng.uniform(0.85, 1.15)), 1.0))
    cover = strokes(shape, lines)
    rows, columns = grid(shape)
    amount = 0.3 + 0.0008 * side
    moved = [axis + amount * smooth_noise(rng, shape, max(8.0, side / 10)) for axis in (rows, columns)]
    return (map_coordinates(cover, moved, order=1) > 0.5) & field


def grey(mask: NDArray[np.bool_]) -> Image.Image:
    """Return a grey picture of a mask, {0, 255}."""
    return Image.fromarray(mask.astype(np.uint8) * 255)


def save(picture: Image.Image, path: Path, **options: object) -> None:
    """Save a picture in a folder that need not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, picture, **options)
