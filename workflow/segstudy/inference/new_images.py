"""Images that a cell has not been trained for: how they lie on a canvas, and how one canvas is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segstudy.data.images.geometry import Geometry, SizeOption, canvas_size, fit
from segstudy.inference.predict import PIXELS_PER_PASS, predict_canvas

if TYPE_CHECKING:
    import torch


def placed(
    original: tuple[int, int], study_canvas: tuple[int, int], size: SizeOption
) -> tuple[tuple[int, int], Geometry]:
    """Return the canvas (height, width) of an image of (height, width) `original`, and where the image lies on it.

    It is the study's canvas, on which the network was trained; where that is too small, a canvas of the image's own.
    """
    needed = canvas_size([original], size)
    canvas = study_canvas if needed[0] <= study_canvas[0] and needed[1] <= study_canvas[1] else needed
    return canvas, fit(original, canvas, size)


def predict_image(
    model: torch.nn.Module,
    pixels: np.ndarray,
    scaling: Any,
    device: torch.device,
    study_canvas: tuple[int, int],
    tile: tuple[int, int] | None,
    overlap: float | None,
    flips: bool = False,
) -> np.ndarray:
    """Return the probabilities (K, H, W) of one canvas, uint8 (H, W, C).

    The study's canvas is predicted as the study does, and so is whatever is no larger than a pass; a larger canvas in
    tiles, so that the memory is that of the image, of its probabilities and of one pass.

    Args:
        model: (B, C, H, W) -> logits (B, K, H, W), on `device`.
        pixels: the canvas.
        scaling: `mean` and `std` of each channel of the training images, intensities in 0..1.
        study_canvas: (height, width) of the canvas that the network was trained on.
        tile: (height, width) of the study's tiles; None where it predicts whole canvases.
        overlap: of these tiles.
        flips: average over mirror images, see `predict_canvas`.
    """
    if pixels.shape[:2] == study_canvas or pixels.shape[0] * pixels.shape[1] <= PIXELS_PER_PASS:
        return next(predict_canvas(model, pixels[None], [0], scaling, device, flips=flips, tile=tile, overlap=overlap))
    return predict_large(model, pixels, scaling, device, tile or study_canvas, overlap, flips)


def predict_large(
    model: torch.nn.Module,
    pixels: np.ndarray,
    scaling: Any,
    device: torch.device,
    tile: tuple[int, int],
    overlap: float | None,
    flips: bool = False,
) -> np.ndarray:
    """Return the probabilities (K, H, W) of one canvas (H, W, C) in overlapping tiles (see
    `segstudy.inference.sliding_window`).

    Beside the canvas as bytes and its probabilities, no more than one pass of tiles is held as numbers.
    """
    import torch

    from segstudy.inference.sliding_window import predict_tiles

    def predict(tiles: torch.Tensor) -> torch.Tensor:
        content = tiles.permute(0, 2, 3, 1).numpy()
        canvases = predict_canvas(model, content, range(len(content)), scaling, device, batch=len(content), flips=flips)
        return torch.from_numpy(np.stack(list(canvases)))

    canvas = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)
    tiles_per_pass = max(1, PIXELS_PER_PASS // (tile[0] * tile[1]))
    result: np.ndarray = predict_tiles(predict, canvas, tile, overlap, tiles_per_pass)[0].clamp_(0, 1).numpy()
    return result
