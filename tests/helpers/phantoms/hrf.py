"""Phantom of HRF: fundus photographs drawn as DRIVE's, with lesions in diabetes and a wide cup in glaucoma."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segstudy.config.datasets import Phantom
from segstudy.core.progress import track
from segstudy.data.phantoms.drive import draw_fundus, grey, save

FOLDER = "HRF"

# Letters of a diagnosis -> share of photographs without lesions, and size of the cup in the disc.
_EYES = {"h": (1.0, 0.45), "dr": (0.0, 0.45), "g": (0.8, 0.75)}


def draw(folder: Path, options: Phantom) -> None:
    """Draw healthy, diabetic and glaucomatous eyes in turn.

    As in the real data set photographs of diabetic eyes end in .JPG, vessels are grey and fields of view RGB TIFF.
    """
    for i in track(range(options.images), "drawing HRF phantoms"):
        kind = list(_EYES)[i % 3]
        healthy, cup = _EYES[kind]
        rng = np.random.default_rng([options.seed, 51, i])
        fundus = draw_fundus(rng, (options.height, options.width), healthy=healthy, cup=cup)
        name = f"{i // 3 + 1:02d}_{kind}"
        suffix = "JPG" if kind == "dr" else "jpg"
        save(fundus.picture, folder / "images" / f"{name}.{suffix}", quality=95)
        save(grey(fundus.vessels), folder / "manual1" / f"{name}.tif", compression="tiff_lzw")
        save(grey(fundus.field).convert("RGB"), folder / "mask" / f"{name}_mask.tif", compression="tiff_lzw")
