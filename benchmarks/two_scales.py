"""Prediction at two scales, on DRIVE: `python benchmarks/two_scales.py DATA SCALE`, in the folder of the trainings.

Mean Dice of the held-out images of `studies/drive_folds.yaml`, plain recipe, where the probabilities are means of the
image's and those of the image enlarged by SCALE, alone and averaged over mirror images as well; the threshold is the
best for the training images, as predicted. DATA is the folder of DRIVE.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from cross_fitting import BASE, FOLDS, RESULTS, Trial
from folds import difference
from torch.nn.functional import interpolate


class TwoScales(torch.nn.Module):
    """A network whose probabilities are the means of two scales; logits in, logits out."""

    def __init__(self, model: torch.nn.Module, scale: float) -> None:
        super().__init__()
        self.model, self.scale = model, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logit of the mean probability, (B, 1, H, W)."""
        height, width = (8 * round(side * self.scale / 8) for side in x.shape[-2:])
        large = self.model(interpolate(x, (height, width), mode="bicubic"))
        back = interpolate(large.sigmoid(), x.shape[-2:], mode="area" if self.scale == 2 else "bilinear")
        mean: torch.Tensor = (self.model(x).sigmoid() + back) / 2
        return mean.logit(1e-6)


class ScaledTrial(Trial):
    """The trial whose networks predict at two scales."""

    scale = 1.0

    def network(self, folder: Path) -> tuple[torch.nn.Module, dict[str, Any]]:
        """Return the network, and what its file says."""
        model, meta = super().network(folder)
        return (TwoScales(model, self.scale) if self.scale != 1 else model), meta


def main(data: Path, scale: float) -> None:
    """Print the mean over all images, and what the second scale, the mirror images and both change in it."""
    torch.set_num_threads(1)
    trial = ScaledTrial(data, Path(), None)
    plain: pd.Series | None = None
    for trial.scale, flips in ((1.0, False), (scale, False), (1.0, True), (scale, True)):
        folds = [trial.dice(RESULTS / BASE / f"seed{k}", trial.held[k], flips=flips) for k in FOLDS]
        dice = pd.concat([pd.Series(fold) for fold in folds])
        plain = dice if plain is None else plain
        print(f"scales {sorted({1.0, trial.scale})}{', mirror images' if flips else ''}: {dice.mean():.4f}, ", end="")
        print(f"difference {difference(dice, plain)}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
