"""What helps on DRIVE: `python benchmarks/folds.py [RESULTS ...]`, after trainings of `studies/drive_folds.yaml`.

For each row of the study the mean Dice of the images that its folds hold out (subset val), in the field of view, at the
threshold of the training images, as predicted and with mirror images; and its difference to the plain recipe, paired by
image, with a 95 % interval over the images that both have (Student's t). No row of a test image is read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from scipy.stats import t as student

PLAIN = "wnet/dice_bce/default"


def held_out(cell: Path, counts: str) -> pd.Series:
    """Return the Dice of every held-out image of a row's folds, by sample."""
    tables = [pd.read_csv(path) for path in sorted(cell.glob(f"seed*/{counts}"))]
    table = pd.concat(tables).astype({"sample": str})
    table = table[(table["subset"] == "val") & (table["region"] == "roi") & (table["policy"] == "training")]
    dice = 2 * table["tp"] / (2 * table["tp"] + table["fp"] + table["fn"])
    return dice.set_axis(table["sample"])


def difference(row: pd.Series, plain: pd.Series) -> str:
    """Return the mean of the paired differences and its interval."""
    paired = (row - plain).dropna()
    half = student.ppf(0.975, len(paired) - 1) * paired.std() / len(paired) ** 0.5
    return f"{paired.mean():+.4f} [{paired.mean() - half:+.4f}, {paired.mean() + half:+.4f}]"


def main(results: Sequence[Path]) -> None:
    """Print the table; the plain recipe is that of the first folder."""
    kinds = ("counts.csv", "tta/counts.csv")
    plain = [held_out(results[0] / "cells/drive" / PLAIN, counts) for counts in kinds]
    print("| row | images | Dice | with mirror images | difference | with mirror images |\n" + 6 * "|---" + "|")
    for folder in results:
        for cell in sorted({path.parents[2] for path in folder.glob("cells/drive/*/*/*/seed*/tta/counts.csv")}):
            rows = [held_out(cell, counts) for counts in kinds]
            means = " | ".join(f"{row.mean():.4f}" for row in rows)
            differences = " | ".join(difference(row, own) for row, own in zip(rows, plain, strict=True))
            name = cell.relative_to(folder / "cells/drive")
            print(f"| {folder.name}: {name} | {len(rows[0])} | {means} | {differences} |")


if __name__ == "__main__":
    main([Path(folder) for folder in sys.argv[1:]] or [Path("results/drive_folds")])
