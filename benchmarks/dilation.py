"""Dilation at the coarsest level, on DRIVE: `python benchmarks/dilation.py DATA WORK [FOLD ...]`.

For folds of `studies/drive_folds.yaml`, whose cells `wnet/dice_bce/default` must be in the folder where this is run:
trains the W-Net of the study's plain recipe with dilation 2 in the convolutions of both bottoms (as many weights, a
field of view of 116 pixels instead of 84), and prints the mean Dice of the fold's images beside the plain network's,
with and without mirror images, at the threshold best for the training images. DATA is the folder of DRIVE, WORK gets
the trainings.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from cross_fitting import BASE, FOLDS, RESULTS, Trial
from folds import difference
from torch import nn

DILATION = 2


def dilate_bottoms() -> None:
    """Let every W-Net that is built from now on have dilated convolutions at the coarsest level of both U-Nets."""
    from segstudy.models import wnet

    plain = wnet.little_unet

    def dilated(*args: object) -> nn.Module:
        network = plain(*args)  # type: ignore[arg-type]
        for layer in network.bottom.modules():
            if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
                layer.dilation = layer.padding = (DILATION, DILATION)
        return network

    wnet.little_unet = dilated  # type: ignore[assignment]


def main(data: Path, work: Path, folds: Sequence[int]) -> None:
    """Train on the images outside each fold, and print the means over the images of all folds."""
    from segstudy.runtime.device import configure

    configure(torch.device("cpu"), 1, deterministic=True)
    trial = Trial(data, work, None)
    plain = [trial.dice(RESULTS / BASE / f"seed{k}", trial.held[k], flips) for flips in (False, True) for k in folds]
    dilate_bottoms()
    trained = {k: trial.train(f"dilated_{k}", trial.held[k], seed=k) for k in folds}
    dilated = [trial.dice(trained[k], trial.held[k], flips) for flips in (False, True) for k in folds]
    for words, part in (("", slice(len(folds))), (", mirror images", slice(len(folds), None))):
        one, other = (pd.concat([pd.Series(fold) for fold in some[part]]) for some in (plain, dilated))
        print(f"plain{words}: {one.mean():.4f}, dilated: {other.mean():.4f}, difference {difference(other, one)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [int(k) for k in sys.argv[3:]] or FOLDS)
