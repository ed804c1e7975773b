"""The gradient of every loss over p, drawn: `python docs/pictures/loss_gradients.py docs/images/loss_gradients.png`.

Many losses depend on the whole image, so a scene has to be chosen: a horizontal bar 5 pixels wide in an image of 33x33
(15 % foreground), predicted with p = 0.8 in the bar and 0.1 outside. One pixel at a time takes all values of p: the one
in the middle of the bar (y = 1), and one 3 pixels above the bar (y = 0).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segstudy.figures import style
from segstudy.losses.build import ClassStatistics, build_loss

SIDE, BAR = 33, slice(14, 19)
PIXELS = {1: (16, 16), 0: (11, 16)}  # y -> row and column of the pixel that varies
SHARES = np.linspace(0.005, 0.995, 100)
PANELS: dict[str, dict[str, Any]] = {
    "bce": {"loss": "bce"},
    "bce_probability": {"loss": "bce_probability"},
    "weighted_bce": {"loss": "weighted_bce"},
    "cross_entropy": {"loss": "cross_entropy"},
    "focal": {"loss": "focal"},
    "focal, form: positive": {"loss": "focal", "form": "positive"},
    "smooth_l1": {"loss": "smooth_l1"},
    "mse": {"loss": "mse"},
    "dice": {"loss": "dice"},
    "dice, form: square": {"loss": "dice", "form": "square"},
    "dice, form: mean": {"loss": "dice", "form": "mean"},
    "compound: dice + bce": {"loss": "compound", "terms": [{"loss": "dice"}, {"loss": "bce"}]},
    "tversky": {"loss": "tversky"},
    "focal_tversky": {"loss": "focal_tversky"},
    "soft_cldice": {"loss": "soft_cldice", "alpha": 1.0},
    "boundary": {"loss": "boundary"},
    "total_variation": {"loss": "total_variation"},
    "bce_tv": {"loss": "bce_tv"},
    "centered": {"loss": "centered"},
    "sparsity": {"loss": "sparsity"},
}


def gradients(settings: Mapping[str, Any], y: int) -> np.ndarray:
    """Return dL/dz of the pixel that varies for every p in SHARES, times the number of pixels.

    Times the pixels: a mean over them then shows each pixel's own formula. For several classes z is the logit of
    the bar's class, and the rest of p is shared 9 to 1 by the background and a class that occurs nowhere.
    """
    classes = 3 if settings["loss"] == "cross_entropy" else 2
    target = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    target[:, BAR] = 1
    bar = int(target.sum())
    pixels = (target.numel() - bar, bar, 0)[:classes]
    loss = build_loss(settings, ClassStatistics(pixels))
    row, column = PIXELS[y]
    values = []
    for share in SHARES:
        p = torch.where(target > 0, 0.8, 0.1).double()
        p[0, row, column] = share
        if classes == 2:
            logits = torch.logit(p).unsqueeze(1)
        else:
            logits = torch.stack([(1 - p) * 0.9, p, (1 - p) * 0.1], dim=1).log()
        logits.requires_grad_()
        loss(logits, target, torch.ones_like(target)).backward()
        assert logits.grad is not None
        values.append(logits.grad[0, -1 if classes == 2 else 1, row, column].item() * target.numel())
    return np.array(values)


def draw_loss_gradients(path: str | Path) -> None:
    """Draw one panel a loss into a PNG file of few colours, a quarter of the usual size."""
    from matplotlib import pyplot

    style.use_style()
    across = 4
    down = -(-len(PANELS) // across)
    figure, grid = pyplot.subplots(down, across, figsize=(style.WIDTH, 1.72 * down), sharex=True)
    used, spare = grid.flat[: len(PANELS)], grid.flat[len(PANELS) :]
    for axes, (title, settings) in zip(used, PANELS.items(), strict=True):
        axes.axhline(0, color=style.MUTED, lw=0.8)
        for y, colour, dashes in ((1, style.PALETTE[0], "-"), (0, style.PALETTE[1], (0, (4, 1.5)))):
            axes.plot(SHARES, gradients(settings, y), color=colour, ls=dashes, lw=1.6, label=f"y = {y}")
        axes.set_title(title, fontsize=8.5)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.locator_params(axis="y", nbins=4)
        axes.tick_params(labelsize=7.5)
        style.bare(axes)
    for axes in spare:
        axes.set_axis_off()
    for axes in used[-across:]:
        axes.set_xlabel("p of the pixel")
        axes.tick_params(labelbottom=True)
    figure.supylabel("gradient dL/dz times the number of pixels", fontsize=9)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=2, frameon=False)
    figure.suptitle("What a pixel is told: below 0 its logit is raised, above 0 it is lowered", x=0.02, ha="left")
    figure.tight_layout(rect=(0.0, 0.0, 1.0, 0.99), h_pad=0.9, w_pad=0.6)
    style.save_small(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the gradient of every loss over p.")
    parser.add_argument("png", type=Path, help="the picture to write")
    draw_loss_gradients(parser.parse_args().png)
