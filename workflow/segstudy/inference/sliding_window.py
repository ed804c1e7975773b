"""Predict a large canvas by overlapping tiles, blended without visible seams.

A tile's answers are worst at its border, where the network saw nothing beyond it. So tiles overlap, and every pixel is
the weighted mean of the tiles that hold it, with a Gaussian weight around the centre of each. Positions and weights are
nnU-Net's (Isensee et al. 2021): equal steps, sigma an eighth of the tile. MONAI's sliding-window inferer has as many
tiles, but pushes the last one back alone, and a floor of 1e-3 under the weights, which float32 does not need: both let
seams show, along the border of the canvas and where corners of tiles meet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from segstudy.core.progress import track
from segstudy.models.blocks import crop_to, mirrored_positions

SIGMA = 0.125  # standard deviation of the weights, in sides of the tile
MANY = 500  # tiles of one call from which on its progress is logged


def starts(length: int, tile: int, overlap: float) -> list[int]:
    """Return where tiles begin along a side: in equal steps, the first and the last one flush with the ends.

    Args:
        length: of the side, at least `tile`.
        tile: side of the tile in pixels.
        overlap: share of a tile that its neighbour covers too, at the least; 0 to below 1.
    """
    span, longest = length - tile, max(1, int(tile * (1 - overlap)))
    steps = max(1, math.ceil(span / longest))
    return sorted({(2 * k * span + steps) // (2 * steps) for k in range(steps + 1)})


def side_by_side(length: int, tile: int) -> list[int]:
    """Return where tiles begin along a side, each where the one before ends; the last one is flush with the end."""
    return [*range(0, length - tile, tile), length - tile]


def blend_window(side: int) -> Tensor:
    """Return the weights along one side of a tile: float32 (side,), from 1 at the centre to about 0.0003 at the ends.

    A pixel's weight is the product of those of its row and its column: 1e-7 at the corners, never zero.
    """
    distance = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
    return torch.exp(-0.5 * (distance / (SIGMA * side)) ** 2)


def extended(canvas: Tensor, tile: tuple[int, int]) -> Tensor:
    """Return (B, C, H, W) continued on all sides by mirroring, repeatedly if need be, to hold at least one tile."""
    for axis, side in zip((2, 3), tile, strict=True):
        length = canvas.shape[axis]
        if length < side:
            before = (side - length) // 2  # in the middle, where `crop_to` cuts
            canvas = canvas.index_select(axis, mirrored_positions(before, length, side, canvas.device))
    return canvas


@torch.no_grad()
def predict_tiles(
    predict: Callable[[Tensor], Tensor],
    canvas: Tensor,
    tile: tuple[int, int],
    overlap: float | None = 0.5,
    batch: int = 16,
) -> Tensor:
    """Return float32 (B, K, H, W): the answers to overlapping tiles of a canvas, blended; or to tiles side by side.

    It blends what `predict` returns. `segstudy.inference.predict` lets it return probabilities: they are what is
    averaged over mirror images and seeds too, so that all these means are of one kind; and a tile that is very sure
    where it sees least, with a logit of 40 at its border, counts as 1 and does not outvote its neighbours. A constant
    and a ramp come back as they are either way.

    Memory beside the canvas: the float32 answers to it, and what `predict` needs for one batch of tiles. A canvas
    smaller than a tile is continued by mirroring, and cut back.

    Args:
        predict: (n, C, h, w), channels last in memory -> (n, K, h, w); n is at most `batch`. A tile that does not
            divide by the strides of a network is padded by the network itself, as a canvas is.
        canvas: normalised images (B, C, H, W).
        tile: (h, w) in pixels.
        overlap: share of a tile that its neighbour covers too, 0 to below 1. Where a tile ends, the blend jumps by a
            part of what it and its neighbour disagree by: under 0.1 % at an overlap of 0.5, about 0.5 % at 0.25, all
            of it at 0. None: each tile begins where the one before ends (the last is flush with the border), and its
            answers stay as they are; what two tiles hold is that of the later one.
        batch: tiles in one call of `predict`, of one image or of several.
    """
    wide = extended(canvas, tile)
    sides = zip(wide.shape[2:], tile, strict=True)
    tops, lefts = (side_by_side(*side) if overlap is None else starts(*side, overlap) for side in sides)
    places = [(i, top, left) for top in tops for left in lefts for i in range(len(wide))]
    down, across = (blend_window(side).to(wide.device) for side in tile)
    weight = torch.outer(down, across)
    sums: Tensor | None = None
    passes: Iterable[int] = range(0, len(places), batch)
    for first in track(passes, f"batches of {batch} tiles:") if len(places) > MANY else passes:
        parts = [
            (i, slice(None), slice(top, top + tile[0]), slice(left, left + tile[1]))
            for i, top, left in places[first : first + batch]
        ]
        tiles = torch.stack([wide[part] for part in parts]).contiguous(memory_format=torch.channels_last)
        answers = predict(tiles).float()
        if sums is None:
            sums = torch.zeros((len(wide), answers.shape[1], *wide.shape[2:]), device=wide.device)
        for part, answer in zip(parts, answers, strict=True):
            if overlap is None:
                sums[part] = answer
            else:
                sums[part].addcmul_(answer, weight)
    assert sums is not None, "a canvas has at least one tile"
    if overlap is None:
        return crop_to(sums, *canvas.shape[2:])
    sums /= _sums(tops, down, wide.shape[2])[:, None]
    sums /= _sums(lefts, across, wide.shape[3])
    return crop_to(sums, *canvas.shape[2:])


def _sums(firsts: list[int], profile: Tensor, length: int) -> Tensor:
    """Return the sum of the weights along one side (length,) of a canvas."""
    total = torch.zeros(length, device=profile.device)
    for first in firsts:
        total[first : first + len(profile)] += profile
    return total
