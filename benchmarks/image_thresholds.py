"""A threshold for each image, on DRIVE: `python benchmarks/image_thresholds.py DATA`, in the folder of the trainings.

Mean Dice of the held-out images of `studies/drive_folds.yaml`, plain recipe, in the field of view, at three thresholds:
one for all images, the best for the training images; one for each image that maximises the Dice that the network itself
expects (Lipton et al. 2014, "Optimal thresholding of classifiers to maximize F1", arXiv 1402.1892), its probabilities
corrected by those of the training images; and the best for each image, which needs its mask and is the most that any
choice could gain. DATA is the folder of DRIVE.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from cross_fitting import BASE, FOLDS, RESULTS, Trial
from folds import difference
from numpy.typing import NDArray

BINS = 100


def counts_of(probability: NDArray[np.floating], weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sum of the weights of the pixels in each of `BINS` intervals of probability."""
    return np.histogram(probability, BINS, (0, 1), weights=weights)[0]


def dice_curve(found: NDArray[np.floating], pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the Dice at the lower edge of each interval, of (expected) object pixels and all pixels in them."""
    hits, called = (np.cumsum(values[::-1])[::-1] for values in (found, pixels))
    return 2 * hits / np.maximum(called + found.sum(), 1e-9)


def main(data: Path) -> None:
    """Print the means over all held-out images."""
    trial, rows = Trial(data, Path(), None), []
    for fold in FOLDS:
        learned = [sample for other in FOLDS if other != fold for sample in trial.held[other]]
        pixels = dict(trial.pixels(RESULTS / BASE / f"seed{fold}", [*learned, *trial.held[fold]]))
        bins = {
            name: (counts_of(p, t.astype(float)), counts_of(p, np.ones(p.shape))) for name, (p, t) in pixels.items()
        }
        found, seen = (sum(bins[name][part] for name in learned) for part in (0, 1))
        share = found / np.maximum(seen, 1)  # of object pixels, as the training images have it
        of_all = np.mean([dice_curve(*bins[name]) for name in learned], axis=0).argmax()
        for name in trial.held[fold]:
            curve, every = dice_curve(*bins[name]), bins[name][1]
            rows.append((curve[of_all], curve[dice_curve(share * every, every).argmax()], curve.max()))
    table = pd.DataFrame(rows, columns=["one threshold", "expected by the network", "best of each image"])
    one = table["one threshold"]
    for words in table.columns[1:]:
        print(f"one threshold {one.mean():.4f}, {words}: {difference(table[words], one)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
