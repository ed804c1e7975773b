"""What the parts of a drawn facade look like: stone, plaster, glass, wood and iron."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from segstudy.data.phantoms.texture import Floats, blend, grid, smooth_noise, soft

WALLS = ((205, 178, 130), (196, 160, 138), (178, 178, 172), (214, 205, 184), (168, 110, 88), (170, 176, 150))
SHUTTERS = ((74, 100, 76), (112, 78, 52), (215, 214, 205), (84, 102, 128))
SIGNS = ((168, 40, 36), (36, 92, 60), (40, 62, 128), (206, 160, 40))


class Box(NamedTuple):
    """A rectangle of a class in pixels; bottom and right are the first row and column outside."""

    name: str
    top: int
    left: int
    bottom: int
    right: int


class House(NamedTuple):
    """What all parts of one house share; colours are red, green, blue in 0..255."""

    wall: Floats
    stone: Floats
    shutter: Floats
    wood: Floats
    frame: Floats
    bricks: float  # how far the joints between bricks are seen, 0..0.2
    iron: bool  # balconies of iron bars, otherwise of stone
    reflection: float  # share of the sky that the panes mirror


def paint(rng: np.random.Generator, shape: tuple[int, int], boxes: list[Box]) -> Floats:
    """Return a picture (H, W, 3) in 0..255 of the house that `boxes`, from back to front, consist of."""
    house = _house(rng)
    picture = _surroundings(rng, shape, boxes[0])
    for box in boxes:
        patch = picture[box.top : box.bottom, box.left : box.right]
        patch[:] = _LOOKS[box.name](rng, house, patch)
        if box.name in ("molding", "cornice", "sill", "balcony"):
            depth = max(1, (box.bottom - box.top) // 3)
            picture[box.bottom : box.bottom + depth, box.left : box.right] *= 0.72  # its shadow
    picture = _in_front(rng, picture)
    rows, columns = grid(shape)
    light = rng.normal(0, 0.12) * (columns / shape[1] - 0.5) + rng.normal(0, 0.08) * (rows / shape[0] - 0.5)
    picture *= (rng.uniform(0.75, 1.1) * (1 + light + 0.03 * smooth_noise(rng, shape, min(shape) / 3)))[..., None]
    return gaussian_filter(picture, (0.5, 0.5, 0)) + rng.normal(0, 3, (*shape, 3))


def _house(rng: np.random.Generator) -> House:
    wall = np.array(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.8, 1.1) + rng.normal(0, 6, 3)
    stone = wall + (np.array([222, 214, 196]) - wall) * rng.uniform(0.45, 0.9)
    shutter = np.array(SHUTTERS[rng.integers(len(SHUTTERS))]) * rng.uniform(0.8, 1.15)
    wood = np.array([96, 66, 44]) * rng.uniform(0.6, 1.5) + rng.normal(0, 5, 3)
    frame = np.array([226.0, 224, 218]) if rng.random() < 0.6 else np.array([92.0, 68, 52])
    bricks = float(rng.choice([0, 0.08, 0.16]))
    return House(wall, stone, shutter, wood, frame, bricks, bool(rng.random() < 0.6), rng.uniform(0, 0.5))


def _surroundings(rng: np.random.Generator, shape: tuple[int, int], house: Box) -> Floats:
    """Return sky above, street below and the neighbours beside the house."""
    rows, _ = grid(shape)
    neighbour = np.array([120, 112, 104]) * rng.uniform(0.6, 1.2) + rng.normal(0, 8, 3)
    picture = neighbour + 14 * smooth_noise(rng, shape, min(shape) / 12)[..., None]
    sky = np.array([150, 186, 224]) if rng.random() < 0.6 else np.array([222, 226, 230])
    haze = (rows / shape[0] * 90)[..., None]
    clouds = 8 * smooth_noise(rng, shape, min(shape) / 4)[..., None]
    picture[: house.top] = (sky * rng.uniform(0.9, 1.08) + haze + clouds)[: house.top]
    street = np.array([104, 102, 100]) * rng.uniform(0.7, 1.2)
    picture[house.bottom :] = (street + 7 * smooth_noise(rng, shape, 5)[..., None])[house.bottom :]
    return picture


def _wall(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    rows, columns = grid(_shape(patch))
    plaster = 1 + 0.035 * smooth_noise(rng, _shape(patch), 12) + 0.02 * rng.standard_normal(_shape(patch))
    course = rows // 4
    joints = (rows % 4 == 0) | ((columns + 4 * (course % 2)) % 9 == 0)
    return house.wall * (plaster - house.bricks * joints)[..., None]


def _profile(house: House, patch: Floats, waves: float) -> Floats:
    """Return stone that is moulded along its height: light above, dark below each bulge."""
    down = _share(patch, 0)
    relief = 1.02 + 0.16 * np.cos(2 * np.pi * waves * down) - 0.12 * down
    return house.stone * relief[..., None]


def _molding(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    return _profile(house, patch, 2)


def _cornice(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    return 1.08 * _profile(house, patch, 0.6)


def _sill(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    return 1.1 * house.stone * (1.05 - 0.35 * _share(patch, 0))[..., None]


def _pillar(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    across = _share(patch, 1)
    return house.stone * (0.72 + 0.42 * np.sin(np.pi * np.clip(across * 1.1, 0, 1)))[..., None]


def _deco(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    away = np.hypot(_share(patch, 0) - 0.5, _share(patch, 1) - 0.5)
    return house.stone * (0.9 + 0.28 * np.cos(away * 18))[..., None]


def _window(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    down, across = _share(patch, 0), _share(patch, 1)
    dark = np.array([44, 52, 62]) * rng.uniform(0.7, 1.4)
    glass = dark + (np.array([190, 206, 222]) - dark) * (house.reflection * rng.uniform(0.4, 1) * (1 - down))[..., None]
    bars = soft(np.abs(across - 0.5) - 0.05, 0.04) + soft(np.abs(down - 0.35) - 0.035, 0.03)
    edge = soft(np.minimum(np.minimum(across, 1 - across), np.minimum(down, 1 - down)) - 0.06, 0.04)
    return blend(glass, house.frame, np.clip(bars + edge, 0, 0.9))


def _blind(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    rows, _ = grid(_shape(patch))
    return house.shutter * np.where(rows % 3 == 2, 0.68, 1.05)[..., None]


def _balcony(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    rows, columns = grid(_shape(patch))
    rail = (rows < max(1, 0.12 * len(rows))) | (rows >= 0.85 * len(rows))
    if house.iron:
        return blend(patch, [34, 34, 38], np.where(rail, 0.95, np.where(columns % 3 == 0, 0.85, 0.35)))
    balusters = np.where(rail, 1.1, np.where(columns % 4 < 2, 0.95, 0.55))
    return house.stone * balusters[..., None]


def _door(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    down, across = _share(patch, 0), _share(patch, 1)
    panels = 1 + 0.2 * np.cos(4 * np.pi * across) * np.cos(6 * np.pi * down)
    leaf = house.wood * panels[..., None]
    return blend(leaf, [60, 68, 76], np.where(down < 0.2, 0.9, 0.0))


def _shop(rng: np.random.Generator, house: House, patch: Floats) -> Floats:
    down, across = _share(patch, 0), _share(patch, 1)
    sign = np.array(SIGNS[rng.integers(len(SIGNS))]) * rng.uniform(0.8, 1.2)
    inside = np.array([70, 66, 60]) + 40 * np.abs(smooth_noise(rng, _shape(patch), 4))[..., None]
    posts = np.abs((across * 3) % 1 - 0.5) > 0.44
    return blend(blend(inside, [40, 38, 36], np.where(posts, 0.8, 0.0)), sign, np.where(down < 0.26, 0.95, 0.0))


def _in_front(rng: np.random.Generator, picture: Floats) -> Floats:
    """Add trees and lamp posts, which are labelled as what they hide."""
    shape = _shape(picture)
    rows, columns = grid(shape)
    if rng.random() < 0.3:
        y, x = shape[0] * rng.uniform(0.75, 0.95), shape[1] * rng.uniform(0, 1)
        radius = min(shape) * rng.uniform(0.08, 0.18)
        ragged = np.hypot(rows - y, columns - x) - radius * (1 + 0.25 * smooth_noise(rng, shape, radius / 2))
        leaves = np.array([58, 82, 44]) * (1 + 0.25 * smooth_noise(rng, shape, 3))[..., None]
        picture = blend(picture, leaves, 0.9 * soft(ragged, 2))
    if rng.random() < 0.3:
        x, top = shape[1] * rng.uniform(0.05, 0.95), shape[0] * rng.uniform(0.5, 0.7)
        post = (np.abs(columns - x) < shape[1] * 0.004 + 0.5) & (rows > top)
        picture = blend(picture, [42, 44, 46], np.where(post, 0.9, 0.0))
    return picture


def _shape(patch: Floats) -> tuple[int, int]:
    return patch.shape[0], patch.shape[1]


def _share(patch: Floats, axis: int) -> Floats:
    """Return for every pixel how far down (axis 0) or to the right (1) it lies, 0..1."""
    return (grid(_shape(patch))[axis] + 0.5) / patch.shape[axis]


_LOOKS: dict[str, Callable[[np.random.Generator, House, Floats], Floats]] = {
    "facade": _wall,
    "molding": _molding,
    "cornice": _cornice,
    "sill": _sill,
    "pillar": _pillar,
    "deco": _deco,
    "window": _window,
    "blind": _blind,
    "balcony": _balcony,
    "door": _door,
    "shop": _shop,
}
