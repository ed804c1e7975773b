"""Phantom of PhC: a grey micrograph with one cell that creeps and changes its shape, its halo, and debris around."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_fill_holes, gaussian_filter

from segstudy.config.datasets import Phantom
from segstudy.core.files import write_picture
from segstudy.core.progress import track
from segstudy.data.phantoms.texture import Floats, grid, smooth_noise, soft

FOLDER = "phc_data"

RECORDINGS = 8  # cells that are followed, the last quarter of them in the test half
_STRIDE = 1000  # frame numbers from one recording to the next


def draw(folder: Path, options: Phantom) -> None:
    """Draw eight cells (fewer where there are fewer images), each over several frames, two of them for the test half.

    As in the real data set images are JPEG, labels PNG of {0, 255}, and neighbouring frames look alike.
    """
    recordings = min(RECORDINGS, options.images)
    frames = [(i % recordings, i // recordings) for i in range(options.images)]
    for recording, time in track(sorted(frames), "drawing PhC phantoms"):
        half = "test" if recording >= recordings - recordings // 4 else "train"
        picture, cell = micrograph(options.seed, recording, time, (options.height, options.width))
        number = f"{recording * _STRIDE + time:05d}"
        for part in ("images", "labels"):
            (folder / half / part).mkdir(parents=True, exist_ok=True)
        write_picture(folder / half / "images" / f"img_{number}.jpg", picture, quality=92)
        mask = Image.fromarray(cell.astype(np.uint8) * 255)
        mask.save(folder / half / "labels" / f"label_{number}.png")


def micrograph(seed: int, recording: int, time: int, shape: tuple[int, int]) -> tuple[Image.Image, NDArray[np.bool_]]:
    """Return frame number `time` of a recording, grey and of size (W, H), and its cell, bool (H, W)."""
    side = min(shape)
    kept = np.random.default_rng([seed, 41, recording])  # what all frames of a recording share
    rng = np.random.default_rng([seed, 42, recording, time])
    distance = _cell(kept, shape, time)
    cell = np.asarray(binary_fill_holes(distance < 0), dtype=bool)
    light = kept.uniform(105, 150)
    picture = light * (1 + 0.05 * smooth_noise(kept, shape, side / 2))
    picture += 5 * smooth_noise(kept, shape, side / 14) + 4 * smooth_noise(rng, shape, 3)
    picture = _debris(kept, picture, distance)
    # Phase contrast: the body hardly differs from its surroundings in brightness, its edge shines, granules speckle it.
    near = np.exp(-((distance / (0.022 * side + 0.7)) ** 2)) * (distance > -0.03 * side)
    picture += kept.uniform(24, 52) * near * (1 + 0.4 * smooth_noise(rng, shape, side / 8))
    inside = soft(distance, 0.012 * side + 0.6)
    body = kept.uniform(-24, -10) + 15 * smooth_noise(rng, shape, side / 45) + 9 * smooth_noise(rng, shape, side / 16)
    picture += body * inside
    picture = gaussian_filter(picture, 0.6) + rng.normal(0, 2.5, shape)
    return Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8)), cell


def _cell(rng: np.random.Generator, shape: tuple[int, int], time: int) -> Floats:
    """Return roughly the signed distance in pixels to the cell at a time, negative inside: a body with processes."""
    side, (rows, columns) = min(shape), grid(shape)
    start, speed = rng.uniform(-0.1, 0.1, 2) * side, rng.uniform(-0.006, 0.006, 2) * side
    centre = np.array(shape) / 2 + start + speed * time
    rows, columns = rows - centre[0], columns - centre[1]
    tilt = rng.uniform(0, np.pi) + rng.uniform(-0.05, 0.05) * time
    stretch = rng.uniform(1.1, 1.9)
    u = (np.cos(tilt) * columns + np.sin(tilt) * rows) / stretch
    v = -np.sin(tilt) * columns + np.cos(tilt) * rows
    theta = np.arctan2(v, u)
    border = np.full(shape, 1.0)
    for k in range(2, 8):
        size, phase, turning = rng.normal(0, 0.28 / k), rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.2)
        border += size * np.cos(k * theta + phase + turning * time)
    border *= side * rng.uniform(0.13, 0.22)
    # Lamellipodia: thin arms, longer and shorter from frame to frame.
    for _ in range(rng.integers(2, 5)):
        angle, reach, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.17) * side, rng.uniform(0.15, 0.35)
        away = np.angle(np.exp(1j * (theta - angle)))
        border += reach * (1 + 0.3 * np.sin(0.5 * time + angle)) * np.exp(-((away / width) ** 2))
    return np.hypot(u, v) - np.maximum(border, 0.06 * side)


def _debris(rng: np.random.Generator, picture: Floats, distance: Floats) -> Floats:
    """Add bright and dark grains that shine like the edge of a cell and are none."""
    shape = (picture.shape[0], picture.shape[1])
    side, (rows, columns) = min(shape), grid(shape)
    for _ in range(rng.integers(6, 18)):
        y, x, radius = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), side * rng.uniform(0.008, 0.035)
        strength = rng.choice([-1, 1]) * rng.uniform(15, 60)
        if distance[int(y), int(x)] < 3 * radius:
            continue
        away = np.hypot(rows - y, columns - x)
        ring = np.exp(-(((away - radius) / (0.35 * radius + 0.5)) ** 2)) - 0.8 * soft(away - radius, 0.4 * radius)
        picture = picture + strength * ring
    return picture
