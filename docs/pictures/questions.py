"""The pictures of docs/questions.md: `python -m docs.pictures.questions docs/images`.

Each is computed with the project's own networks and measures: what pooling loses, where gradients arrive, which input
pixel an output pixel stands for, patterns of upsampling, receptive fields, touching cells.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from docs.pictures.metric_errors import vessels
from segstudy.config.networks import DilatedNetOptions, UNetOptions, UNetValidOptions
from segstudy.evaluation.instances import connected, matched_objects
from segstudy.figures import style
from segstudy.models.dilatednet import DilatedNet
from segstudy.models.layer_table import receptive_field
from segstudy.models.u_shape import UShape
from segstudy.models.unet import UNet
from segstudy.models.unet_valid import valid_length

NAMES = ("pooling_and_skips", "valid_offset", "checkerboards", "receptive_fields", "touching_cells")


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice of two masks."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def pooled(mask: np.ndarray, times: int) -> np.ndarray:
    """Return a mask averaged over squares of 2^times pixels, thresholded at a half, and repeated to its size."""
    side = 2**times
    height, width = (length // side * side for length in mask.shape)
    small = mask[:height, :width].reshape(height // side, side, width // side, side).mean((1, 3)) >= 0.5
    return small.repeat(side, 0).repeat(side, 1)


class WithoutGradient(nn.Module):
    """Join a skip as it is, but let no gradient back through it."""

    def __init__(self, join: nn.Module) -> None:
        super().__init__()
        self.join = join

    def forward(self, maps: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Return what `join` returns."""
        joined: torch.Tensor = self.join(maps, skip.detach())
        return joined


def gradient_by_level(through_skips: bool, depth: int = 4, seeds: int = 8) -> list[float]:
    """Return the root mean square of the gradient at the first convolution of each encoder level, finest first.

    Of a fresh U-Net and the cross-entropy of random labels, mean over `seeds`. The values forward are the same with
    and without `through_skips`; without, the gradient takes the way through the coarsest level alone.
    """
    sizes = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        network: UShape = UNet(UNetOptions(depth=depth, width=8), 3, 1)
        if not through_skips:
            network.join = nn.ModuleList(map(WithoutGradient, network.join))
        logits = network(torch.randn(4, 3, 64, 64))
        labels = (torch.rand_like(logits) < 0.5).float()
        nn.functional.binary_cross_entropy_with_logits(logits, labels).backward()
        first = [next(level.parameters()).grad for level in network.encoder]
        sizes.append([float(grad.norm() / grad.numel() ** 0.5) for grad in first if grad is not None])
    return list(np.mean(sizes, axis=0))


def pattern(layer: nn.Module, side: int = 12) -> np.ndarray:
    """Return what a layer of fresh weights makes of a constant image, (2 side, 2 side) without its border."""
    with torch.no_grad():
        out = layer(torch.ones(1, 8, side + 4, side + 4))[0, 0]
    start = (len(out) - 2 * side) // 2
    return out[start : start + 2 * side, start : start + 2 * side].numpy()


def upsampling() -> dict[str, np.ndarray]:
    """Return the patterns of four ways of doubling an image."""
    torch.manual_seed(0)
    transposed = {
        f"transposed, kernel {kernel}, stride 2": nn.ConvTranspose2d(8, 1, kernel, stride=2) for kernel in (2, 3, 4)
    }
    resized = nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(8, 1, 3))
    return {
        name: pattern(layer) for name, layer in {**transposed, "nearest ×2, then a 3×3 convolution": resized}.items()
    }


def fields() -> dict[str, tuple[int, int]]:
    """Return receptive field and weights of 3x3 convolutions in a row, plain and dilated, and of a U-Net."""
    plain = nn.Sequential(*[nn.Conv2d(8, 8, 3, padding=1) for _ in range(5)])
    dilated = DilatedNet(DilatedNetOptions(depth=5, width=8, normalisation="none"), 8, 1)
    unet = UNet(UNetOptions(depth=3, width=8, normalisation="none"), 8, 1)
    networks = {"five 3×3 convolutions": plain, "the same, dilation 1 to 16": dilated, "U-Net, three poolings": unet}
    found = {}
    for name, network in networks.items():
        field = receptive_field(network, 8)
        assert field is not None
        found[name] = (field[0], sum(parameter.numel() for parameter in network.parameters()))
    return found


def discs(height: int = 60, width: int = 96, seed: int = 4) -> np.ndarray:
    """Return cells that touch: ids (H, W), each pixel that of the nearest centre within the radius."""
    random = np.random.default_rng(seed)
    centres = np.empty((0, 2))
    for centre in random.uniform((8, 8), (height - 8, width - 8), (200, 2)):
        if len(centres) < 16 and (np.linalg.norm(centres - centre, axis=1) > 12).all():
            centres = np.vstack([centres, centre])
    places = np.moveaxis(np.indices((height, width)), 0, -1)
    distances = np.linalg.norm(places[:, :, None] - centres, axis=-1)
    ids = distances.argmin(-1) + 1
    return np.where(distances.min(-1) < 7, ids, 0)


def watershed_of(mask: np.ndarray) -> np.ndarray:
    """Return objects of a mask cut along the valleys of its distance map."""
    from scipy.ndimage import distance_transform_edt
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    distance = distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=5, labels=mask.astype(int))
    markers = np.zeros(mask.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    ids: np.ndarray = watershed(-distance, markers, mask=mask)
    return ids


def bare(axes: Any, title: str, below: str = "") -> None:
    """Take ticks and grid away, and say what a panel shows."""
    axes.set_title(title, fontsize=8.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.set_xlabel(below, fontsize=8.5)


def draw_pooling_and_skips() -> Any:
    """Draw what is left of vessels after poolings, and the gradient that reaches each level of an encoder."""
    from matplotlib import pyplot

    mask = vessels()[:96, :144]
    figure, grid = pyplot.subplots(
        1, 5, figsize=(style.WIDTH, 2.4), layout="constrained", width_ratios=(1, 1, 1, 1, 1.6)
    )
    for times, axes in enumerate(grid[:4]):
        left = pooled(mask, times)
        axes.imshow(left, cmap="Greys", interpolation="nearest")
        title = "the mask" if not times else f"{times} × pooled 2×2" if times > 1 else "pooled 2×2"
        bare(axes, title, f"Dice {overlap(left, mask):.2f}" if times else "")
    for through_skips, label, marker in ((True, "all ways back", "o"), (False, "through the bottom alone", "s")):
        sizes = gradient_by_level(through_skips)
        grid[4].plot(range(len(sizes)), sizes, marker=marker, markersize=4, label=label)
    grid[4].set_yscale("log")
    grid[4].set_title("gradient by level", fontsize=8.5)
    grid[4].set_xlabel("poolings before the level", fontsize=8.5)
    grid[4].legend(frameon=False, fontsize=7, loc="lower left")
    return figure


def draw_valid_offset() -> Any:
    """Draw the input, the output and the offset of the U-Net of 2015."""
    from matplotlib import patches, pyplot

    options = UNetValidOptions()
    large, small = valid_length(388, options.depth, options.convolutions)
    offset = (large - small) // 2
    figure, axes = pyplot.subplots(figsize=(3.4, 3.4), layout="constrained")
    for start, side, colour in ((0, large, style.MUTED), (offset, small, style.PALETTE[0])):
        axes.add_patch(patches.Rectangle((start, start), side, side, fill=False, edgecolor=colour, linewidth=1.5))
    axes.text(large / 2, 20, f"input {large} × {large}", ha="center", va="top", fontsize=9)
    axes.text(large / 2, offset + 20, f"output {small} × {small}", ha="center", va="top", fontsize=9)
    column, row = 150, 230
    axes.plot(offset + column, offset + row, "o", color=style.PALETTE[1])
    axes.annotate(
        f"output pixel ({row}, {column})\nis input pixel ({row + offset}, {column + offset})",
        (offset + column, offset + row),
        xytext=(offset + column - 20, offset + row + 50),
        fontsize=8.5,
        va="top",
        arrowprops={"arrowstyle": "-", "color": style.MUTED},
    )
    axes.annotate("", (0, large - 40), (offset, large - 40), arrowprops={"arrowstyle": "<->", "color": style.INK})
    axes.text(offset / 2, large - 50, str(offset), ha="center", va="bottom", fontsize=9)
    axes.set_xlim(-4, large + 4)
    axes.set_ylim(large + 4, -4)
    axes.set_aspect("equal")
    axes.axis("off")
    return figure


def draw_checkerboards() -> Any:
    """Draw what fresh upsampling layers make of a constant image."""
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(1, 4, figsize=(style.WIDTH, 2.9), layout="constrained")
    for axes, (name, values) in zip(grid, upsampling().items(), strict=True):
        spread = float(np.ptp(values))
        middle, reach = values.mean(), max(spread, 0.2) / 2
        axes.imshow(values, cmap="Greys_r", vmin=middle - reach, vmax=middle + reach, interpolation="nearest")
        bare(
            axes,
            name.replace(", stride", ",\nstride").replace(", then", ",\nthen"),
            f"largest - smallest: {spread:.2f}",
        )
    return figure


def draw_receptive_fields() -> Any:
    """Draw receptive fields to scale, with the number of weights."""
    from matplotlib import patches, pyplot

    found = fields()
    side = max(field for field, _ in found.values())
    figure, grid = pyplot.subplots(1, len(found), figsize=(style.WIDTH, 2.5), layout="constrained")
    for axes, (name, (field, weights)) in zip(grid, found.items(), strict=True):
        start = (side - field) / 2
        axes.add_patch(patches.Rectangle((start, start), field, field, facecolor=style.PALETTE[4], alpha=0.6))
        axes.plot(side / 2, side / 2, "s", markersize=2, color=style.INK)
        axes.set_xlim(0, side)
        axes.set_ylim(0, side)
        axes.set_aspect("equal")
        bare(axes, name, f"{field} × {field} pixels, {weights:,} weights")
    return figure


def draw_touching_cells() -> Any:
    """Draw cells, their pieces as a mask of pixels has them, and the pieces cut by a watershed."""
    from matplotlib import colors, pyplot

    truth = discs()
    mask = truth > 0
    drawn = {"cells, one colour each": truth, "pieces of the mask": connected(mask), "watershed": watershed_of(mask)}
    colours = np.array([colors.to_rgb(colour) for colour in style.PALETTE])
    figure, grid = pyplot.subplots(1, 3, figsize=(style.WIDTH, 2.0), layout="constrained")
    for axes, (name, ids) in zip(grid, drawn.items(), strict=True):
        picture = np.where((ids > 0)[..., None], colours[ids % len(colours)], 1.0)
        axes.imshow(picture, interpolation="nearest")
        counts = matched_objects(ids, truth)
        f1 = 2 * counts["matched_50"] / (counts["instances_prediction"] + counts["instances_truth"])
        bare(axes, name, f"{len(np.unique(ids)) - 1} objects, object F1 {f1:.2f}")
    return figure


def draw(folder: Path) -> None:
    """Draw all pictures as PNG files of few colours."""
    style.use_style()
    for name in NAMES:
        style.save_small(globals()[f"draw_{name}"](), folder / f"{name}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/questions.md.")
    parser.add_argument("folder", type=Path, help="where the PNG files go")
    draw(parser.parse_args().folder)
