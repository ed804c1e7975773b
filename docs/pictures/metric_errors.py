"""Values of measures for typical errors, drawn: `python docs/pictures/metric_errors.py docs/images/metric_errors.png`.

The truth is a net of vessels five pixels wide, with one mesh. Four predictions show the most frequent errors: all
vessels too thin, all vessels cut, a branch missed, spots invented. They are measured like a cell of a study.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from segstudy.evaluation import metrics
from segstudy.evaluation.aggregate import confusion
from segstudy.evaluation.shape_metrics import Measures, compared, shape_of
from segstudy.figures import style

HEIGHT, WIDTH = 100, 150
RADIUS = 2.5  # pixels; half the width of a vessel
MEASURED = Measures(("surface", "cldice", "objects"), tolerance=2.0)
TRUNK = ((50, 4), (46, 40), (56, 75), (48, 110), (52, 145))  # row, column
BRANCHES = (((46, 40), (22, 62), (20, 92), (48, 110)), ((56, 75), (84, 100), (88, 132)), ((46, 40), (72, 22), (92, 26)))
CUTS = ((48, 18), (52, 62), (52, 92), (50, 130), (21, 78), (70, 88), (84, 24), (34, 101))
SPOTS = ((10, 8), (88, 60), (14, 132), (70, 120), (30, 20))
SHOWN = {
    "Dice": (metrics.dice, "{:.2f}"),
    "surface Dice, 2 px": (metrics.surface_dice, "{:.2f}"),
    "HD95, px": (lambda counts: counts.hd95, "{:.1f}"),
    "clDice": (metrics.cldice, "{:.2f}"),
    "Betti-0 error": (metrics.betti0_error, "{:d}"),
    "Betti-1 error": (metrics.betti1_error, "{:d}"),
}


def near(line: Sequence[tuple[int, int]], radius: float) -> np.ndarray:
    """Return the pixels at most `radius` from a polyline, or from its one point, bool (H, W)."""
    places = np.moveaxis(np.indices((HEIGHT, WIDTH)), 0, -1).astype(float)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for start, end in zip(line, line[1:] or line, strict=False):
        first, along = np.array(start, float), np.subtract(end, start).astype(float)
        share = ((places - first) @ along / max(along @ along, 1.0)).clip(0, 1)
        mask |= np.linalg.norm(places - first - share[..., None] * along, axis=-1) <= radius
    return mask


def vessels(radius: float = RADIUS, branches: int = len(BRANCHES)) -> np.ndarray:
    """Return the net with the first `branches` of its branches."""
    return np.logical_or.reduce([near(line, radius) for line in (TRUNK, *BRANCHES[:branches])])


def predictions() -> dict[str, np.ndarray]:
    """Return the wrong predictions, each with its name."""
    truth = vessels()
    return {
        "all too thin": vessels(RADIUS - 1),
        "cut in eight places": truth & ~np.logical_or.reduce([near((place,), 3.5) for place in CUTS]),
        "a branch missed": vessels(branches=len(BRANCHES) - 1),
        "five spots invented": truth | np.logical_or.reduce([near((place,), 4.4) for place in SPOTS]),
    }


def measured(prediction: np.ndarray) -> dict[str, float]:
    """Return the value of every measure for a prediction."""
    truth = vessels()
    predicted, true = (shape_of(mask, MEASURED.names) for mask in (prediction, truth))
    counts = SimpleNamespace(**confusion(prediction, truth)._asdict(), **compared(predicted, true, MEASURED))
    return {name: formula(counts) for name, (formula, _) in SHOWN.items()}


def picture(prediction: np.ndarray) -> np.ndarray:
    """Return right pixels grey, missed ones orange, invented ones blue, uint8 (H, W, 3)."""
    truth = vessels()
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for mask, colour in (
        (prediction & truth, (150, 158, 168)),
        (truth & ~prediction, (213, 94, 0)),
        (prediction & ~truth, (0, 114, 178)),
    ):
        pixels[mask] = colour
    return pixels


def draw_metric_errors(path: str | Path) -> None:
    """Draw the predictions, and below each the values of the measures, into a PNG file of few colours."""
    from matplotlib import pyplot

    style.use_style()
    wrong = predictions()
    figure, grid = pyplot.subplots(1, len(wrong), figsize=(style.WIDTH, 2.9))
    for axes, (name, prediction) in zip(grid, wrong.items(), strict=True):
        axes.imshow(picture(prediction), interpolation="nearest")
        axes.set_title(name, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)
        for line, (measure, value) in enumerate(measured(prediction).items()):
            height = -0.13 - 0.155 * line
            axes.text(0.0, height, measure, transform=axes.transAxes, fontsize=8, va="center", color=style.MUTED)
            text = SHOWN[measure][1].format(value)
            axes.text(1.0, height, text, transform=axes.transAxes, fontsize=8.5, va="center", ha="right", weight="bold")
    figure.suptitle(
        "The same vessels, four errors: grey right, orange missed, blue invented", x=0.013, ha="left", fontsize=10
    )
    figure.subplots_adjust(left=0.013, right=0.987, top=0.86, bottom=0.41, wspace=0.09)
    style.save_small(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw what measures say of typical errors.")
    parser.add_argument("png", type=Path, help="the picture to write")
    draw_metric_errors(parser.parse_args().png)
