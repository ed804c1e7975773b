"""Phantom of PH2: skin under a dermatoscope with hair, small moles beside the lesion and soft, irregular borders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_fill_holes, label

from segstudy.config.datasets import Phantom
from segstudy.core.files import write_text
from segstudy.core.progress import track
from segstudy.data.phantoms.texture import Floats, blend, grid, smooth_noise, soft, strokes, to_picture
from segstudy.data.readers.ph2_table import STRATA

FOLDER = "PH2Dataset"

_HEADER = (
    "||   Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry | Pigment Network | Dots/Globules | "
    "Streaks | Regression Areas | Blue-Whitish Veil ||           Colors ||"
)
_LEGEND = (
    "\nLegends for the data set:\n\nClinical Diagnosis: \n0 - Common Nevus; \n1 - Atypical Nevus; \n2 - Melanoma.\n"
)


def draw(folder: Path, options: Phantom) -> None:
    """Draw cases IMDnnn with image, lesion mask and a colour-class mask each, and the table of diagnoses.

    As in the real data set the numbers have gaps, two in five cases are common nevi, two atypical, one is a
    melanoma, masks are 1-bit BMP but one that is 24-bit RGB.
    """
    table = [_HEADER]
    gaps = np.random.default_rng([options.seed, 20]).integers(1, 4, options.images)
    for i, number in track(list(enumerate(np.cumsum(gaps) + 1)), "drawing PH2 phantoms"):
        rng = np.random.default_rng([options.seed, 21, i])
        name, stratum = f"IMD{number:03d}", (0, 1, 0, 1, 2)[i % 5]
        picture, lesion = dermoscopy(rng, (options.height, options.width), STRATA[stratum])
        case = folder / "PH2 Dataset images" / name
        paths = {part: case / f"{name}_{part}" for part in ("Dermoscopic_Image", "lesion", "roi")}
        for path in paths.values():
            path.mkdir(parents=True)
        picture.save(paths["Dermoscopic_Image"] / f"{name}.bmp")
        mask = Image.fromarray(lesion)
        (mask.convert("RGB") if i == 1 else mask).save(paths["lesion"] / f"{name}_lesion.bmp")
        dark = np.asarray(picture)[..., 0] < np.median(np.asarray(picture)[lesion][..., 0])
        Image.fromarray(lesion & dark).save(paths["roi"] / f"{name}_R1_Label4.bmp")
        table.append(f"|| {name} || {'Melanoma' if stratum == 2 else '':>22} || {stratum:>18} || {_CRITERIA[stratum]}")
    write_text(folder / "PH2_dataset.txt", "\n".join(table) + "\n" + _LEGEND)


# Asymmetry to blue-whitish veil, and colours: usual values of each diagnosis.
_CRITERIA = (
    "0 |               T |             A |       A |                A |                 A ||          4 ||",
    "1 |              AT |            AT |       A |                A |                 A ||       3  4 ||",
    "2 |              AT |            AT |       P |                P |                 P ||    3  4  6 ||",
)


def dermoscopy(rng: np.random.Generator, shape: tuple[int, int], stratum: str) -> tuple[Image.Image, NDArray[np.bool_]]:
    """Return an RGB picture of size (W, H) and its lesion, bool (H, W)."""
    side = min(shape)
    skin = _skin(rng, shape)
    distance = _lesion_distance(rng, shape, stratum)
    lesion = _one_piece(distance < 0)
    skin = _distractors(rng, skin, distance)
    edge = side * rng.choice([0.008, 0.02, 0.035, 0.06])
    picture = blend(skin, _pigment(rng, shape, stratum, distance, skin), soft(distance, edge))
    picture = _hair(rng, picture)
    rows, columns = grid(shape)
    away = np.hypot(rows / shape[0] - 0.5, columns / shape[1] - 0.5)
    picture *= (1 - rng.uniform(0.1, 0.7) * np.clip(away - 0.35, 0, None) ** 1.5 * 3)[..., None]
    picture += rng.normal(0, 2.5, (*shape, 3))
    return to_picture(picture), lesion


def _skin(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    side = min(shape)
    base = np.array([214, 164, 140]) * rng.uniform(0.78, 1.08) + rng.normal(0, 8, 3)
    rows, columns = grid(shape)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * (rows / shape[0] - 0.5) + np.sin(angle) * (columns / shape[1] - 0.5)
    light = 1 + rng.uniform(0.03, 0.2) * slope + 0.03 * smooth_noise(rng, shape, side / 4)
    fine = 0.02 * smooth_noise(rng, shape, 2.5) + 0.012 * smooth_noise(rng, shape, 8)
    redness = np.stack([0 * slope, *2 * [smooth_noise(rng, shape, side / 5) * 4]], axis=2)
    return base * (light + fine)[..., None] + redness


def _lesion_distance(rng: np.random.Generator, shape: tuple[int, int], stratum: str) -> Floats:
    """Return roughly the signed distance in pixels to a wavy ellipse, negative inside."""
    rough = {"common_nevus": 0.5, "atypical_nevus": 1.0, "melanoma": 1.6}[stratum]
    size = {"common_nevus": 0.26, "atypical_nevus": 0.3, "melanoma": 0.4}[stratum]
    side = min(shape)
    radius = side * size * rng.uniform(0.45, 1.3)
    centre = np.array(shape) / 2 + rng.uniform(-0.1, 0.1, 2) * side
    rows, columns = grid(shape)
    rows, columns = rows - centre[0], columns - centre[1]
    tilt, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.45)
    u = (np.cos(tilt) * columns + np.sin(tilt) * rows) / stretch
    v = -np.sin(tilt) * columns + np.cos(tilt) * rows
    theta = np.arctan2(v, u)
    waves = sum(rng.normal(0, 0.13 * rough / k) * np.cos(k * theta + rng.uniform(0, 2 * np.pi)) for k in range(2, 7))
    border = radius * (1 + waves) + smooth_noise(rng, shape, side / 12) * side * 0.008 * rough
    return np.hypot(u, v) - np.maximum(border, 0.3 * radius)


def _one_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, count = label(mask)
    largest = 1 + np.argmax(np.bincount(parts.ravel())[1:]) if count else 0
    return np.asarray(binary_fill_holes(parts == largest), dtype=bool)


def _pigment(rng: np.random.Generator, shape: tuple[int, int], stratum: str, distance: Floats, skin: Floats) -> Floats:
    """Return the colour of the lesion everywhere (H, W, 3): brown, with a network, and blotches in melanoma."""
    side = min(shape)
    brown = np.array([120, 74, 52]) * rng.uniform(0.75, 1.25)
    strength = rng.uniform(0.4, 0.97)
    deep = np.clip(-distance / (side * 0.25), 0, 1)
    shade = 1 - 0.3 * deep + 0.1 * smooth_noise(rng, shape, side / 10)
    network = np.abs(smooth_noise(rng, shape, max(3.0, side / 40)))
    colour = brown * (shade + 0.12 * (network - 0.8))[..., None]
    if stratum == "melanoma":
        colour = blend(colour, [62, 58, 78], 0.8 * soft(-smooth_noise(rng, shape, side / 6) + 0.5, 0.5))
        colour = blend(colour, [196, 150, 140], 0.6 * soft(-smooth_noise(rng, shape, side / 7) + 1.1, 0.4))
    return skin + (colour - skin) * strength


def _distractors(rng: np.random.Generator, skin: Floats, distance: Floats) -> Floats:
    """Add small moles, red spots and gel bubbles: neither belongs to the lesion."""
    shape = (skin.shape[0], skin.shape[1])
    side, (rows, columns) = min(shape), grid(shape)
    for kind in rng.choice(["mole", "spot", "bubble"], rng.integers(2, 7)):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        radius = side * rng.uniform(0.012, 0.045)
        away = np.hypot(rows - y, columns - x)
        if distance[int(y), int(x)] < 2.5 * radius + side * 0.04:
            continue
        if kind == "bubble":
            skin = blend(skin, [250, 240, 232], 0.5 * np.exp(-(((away - radius) / (side * 0.006 + 0.4)) ** 2)))
        else:
            colour = [118, 76, 56] if kind == "mole" else [176, 84, 78]
            skin = blend(skin, colour, rng.uniform(0.5, 0.9) * soft(away - radius, side * 0.012))
    return skin


def _hair(rng: np.random.Generator, picture: Floats) -> Floats:
    shape = (picture.shape[0], picture.shape[1])
    side, lines = min(shape), []
    number = int(rng.choice([0, 2, 5, 9, 16]))
    leaning = rng.uniform(0, np.pi)
    for _ in range(number):
        middle = rng.uniform(0, 1, 2) * shape[::-1]
        angle, length = leaning + rng.normal(0, 0.5), side * rng.uniform(0.3, 0.9)
        along = np.array([np.cos(angle), np.sin(angle)])
        bend = np.array([-along[1], along[0]]) * rng.normal(0, 0.12) * length
        t = np.linspace(-0.5, 0.5, 12)[:, None]
        lines.append((middle + along * length * t + bend * (4 * t**2), side * rng.uniform(0.004, 0.009), 1.0))
    colour = np.array([46, 34, 30]) + rng.uniform(0, 40)
    return blend(picture, colour, 0.8 * strokes(shape, lines))
