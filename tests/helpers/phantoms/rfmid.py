"""Phantom of RFMiD: fundus photographs in three sets with a table of diseases each, and no masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segstudy.config.datasets import Phantom
from segstudy.core.files import write_text
from segstudy.core.progress import track
from segstudy.data.phantoms.drive import draw_fundus

FOLDER = "RFMiD"

# Folder of the photographs, name of its table, share of all photographs (1920, 640 and 640 of the real 3,200).
_SETS = (
    ("Training_Set/Training_Set/Training", "RFMiD_Training_Labels.csv", 0.6),
    ("Evaluation_Set/Evaluation_Set/Validation", "RFMiD_Validation_Labels.csv", 0.8),
    ("Test_Set/Test_Set/Test", "RFMiD_Testing_Labels.csv", 1.0),
)


def draw(folder: Path, options: Phantom) -> None:
    """Draw photographs numbered from 1 in each set; as in the real data set four in five show a disease."""
    drawn = 0
    for place, table, share in _SETS:
        count = round(share * options.images) - drawn
        (folder / place).mkdir(parents=True)
        lines = ["ID,Disease_Risk,DR,ARMD"]
        for number in track(range(1, count + 1), f"drawing RFMiD phantoms, {place.rpartition('/')[2]}"):
            rng = np.random.default_rng([options.seed, 51, drawn + number])
            draw_fundus(rng, (options.height, options.width)).picture.save(folder / place / f"{number}.png")
            risk = int(number % 5 != 0)
            lines.append(f"{number},{risk},{risk * (number % 2)},{risk * (1 - number % 2)}")
        write_text((folder / place).parent / table, "\n".join(lines) + "\n")
        drawn += count
