"""Predict probabilities and masks of every labelled image of a cell, at the original size.

Torch is imported where it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segstudy.core import files
from segstudy.core.errors import StudyError
from segstudy.core.progress import track
from segstudy.data.ground_truth import Row, roi_of
from segstudy.data.images.geometry import Geometry, to_original
from segstudy.data.images.label_map import Labels
from segstudy.data.images.prediction_files import write_classes, write_probability
from segstudy.data.store import Store, open_store
from segstudy.evaluation.aggregate import ARGMAX
from segstudy.inference.inputs import PredictionInputs, PredictionOutputs
from segstudy.inference.masks import choose_thresholds, write_masks, writing

if TYPE_CHECKING:
    import torch

# Pixels in one forward pass (one image, or tile, at least): bounds the memory of the feature maps, and is enough to
# keep the cores busy.
PIXELS_PER_PASS = 2**20
# Axes that are mirrored in (B, C, H, W); the first view is the image itself.
VIEWS: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))


def predict_cell(
    model: Path,
    store: Path,
    inputs: PredictionInputs,
    outputs: PredictionOutputs,
    flips: bool = False,
    tile: tuple[int, int] | None = None,
    overlap: float | None = 0.5,
    network_name: str = "",
) -> None:
    """Predict every train, val and test image that has a mask, and choose the cell's thresholds.

    Writes `<sample>.png` of the probability (16 bit: p = value / 65535) and of the mask ({0, 255}, at the headline
    threshold), both at the image's original size, and thresholds.json (policy -> threshold). Outside the field of
    view, where there is one, the probability is 0: no training looked there, and no target lies there. Thresholds are
    chosen and applied on the probabilities as stored, so whoever reads the files finds the same masks, bit for
    bit. `validation` is tuned on the validation images alone, `training` on the training images, inside the roi.

    Of several classes a pixel gets the one of the largest probability at the original size (the first of equals). The
    mask is a palette PNG of class ids, background outside the field of view; the probability is that of the pixel's
    class; and the only policy is `argmax`, whose threshold is None.

    With `flips` all of this is made of the mean over the image and its mirror images, with a `tile` the canvas is
    predicted in pieces (see `predict_canvas`). `network_name` is the one in the study's config:
    a model file may name no other module of one's own (see `model_checks.check_network`).

    Raises:
        StudyError: where model, store, split and index do not belong together.
    """
    from segstudy.models.model_file import load_model
    from segstudy.runtime.device import choose_device
    from segstudy.runtime.memory import keep_freed_memory

    keep_freed_memory()
    opened, rows = open_store(store), inputs.rows()
    root, labels = inputs.root, inputs.labels
    if not rows:
        raise StudyError("no image of the split has a mask, so there is nothing to predict", where=root)
    device = choose_device()
    trained, meta = load_model(model, device, named=network_name)
    _check_model(meta, opened, model, 1 if len(labels.names) == 2 else len(labels.names))
    thresholds: dict[str, float | None] = {ARGMAX: None}
    with (
        files.atomic_folder(outputs.probabilities, sealed=True) as probabilities,
        files.atomic_folder(outputs.masks, sealed=True) as masks,
    ):
        positions = opened.rows(row["sample"] for row in rows)
        scaling = meta["normalisation"]
        predictions = predict_canvas(
            trained, opened.images, positions, scaling, device, flips=flips, tile=tile, overlap=overlap
        )
        with writing() as submit:
            pairs = zip(rows, positions, predictions, strict=True)
            for row, position, canvas in track(pairs, "predict", total=len(rows)):
                submit(write_image, row, root, labels, (probabilities, masks), canvas, opened.geometry_of(position))
        if not labels.several:
            chosen = choose_thresholds(rows, root, probabilities, inputs.evaluation, labels)
            write_masks(rows, probabilities, masks, chosen[inputs.evaluation.headline])
            thresholds = {**chosen}
    files.write_json(outputs.thresholds, thresholds)


def write_image(
    row: Row, root: Path, labels: Labels, folders: tuple[Path, Path], canvas: np.ndarray, geometry: Geometry
) -> None:
    """Write the probability, and of several classes the mask, of one image; nothing lies outside its field of view.

    Args:
        row: of index.csv.
        folders: of probabilities and masks.
        canvas: probabilities (K, H, W) on the canvas.
        geometry: how the image lies on it.
    """
    name, roi = f"{row['sample']}.png", roi_of(row, root)
    if labels.several:
        probability, ids = most_probable(canvas, geometry)
        write_classes(folders[1] / name, ids if roi is None else ids * roi, labels.colours)
    else:
        probability = to_original(canvas[0], geometry)
    write_probability(folders[0] / name, probability if roi is None else probability * roi)


def most_probable(canvas: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest probability and its class at the original size: float32 and uint8 (H, W).

    Each class goes back to the original size before they are compared, one at a time, so that borders between classes
    are as fine as the image and no more than two classes are held at that size.

    Args:
        canvas: probabilities (K, H, W) on the canvas.
        geometry: how the image lies on it.
    """
    best = to_original(canvas[0], geometry)
    ids = np.zeros(best.shape, np.uint8)
    for number in range(1, len(canvas)):
        probability = to_original(canvas[number], geometry)
        ids[probability > best] = number
        best = np.maximum(best, probability)
    return best, ids


def predict_canvas(
    model: torch.nn.Module,
    images: np.ndarray,
    rows: Sequence[int] | np.ndarray,
    normalisation: Mapping[str, Sequence[float]],
    device: torch.device | str = "cpu",
    batch: int | None = None,
    flips: bool = False,
    tile: tuple[int, int] | None = None,
    overlap: float | None = 0.5,
) -> Iterator[np.ndarray]:
    """Yield the probabilities of the given rows of a store, on its canvas, in the order of `rows`.

    Always in float32: single images move by up to 0.011 Dice between bf16 and float32 evaluation.

    Args:
        model: (B, C, H, W) -> logits (B, K, H, W), on `device`.
        images: uint8 (N, H, W, C); may be memory-mapped.
        rows: which of them.
        normalisation: `mean` and `std` of each channel, intensities in 0..1.
        batch: images, or tiles, in one forward pass; by default as many as fit `PIXELS_PER_PASS`.
        flips: average the probabilities of the image and its mirror images (left-right, top-bottom, both), each
            turned back; of tiles, those of each tile.
        tile: (height, width) of overlapping tiles that are predicted one by one and blended (see
            `segstudy.inference.sliding_window`): the memory is then that of the tiles of one pass, however large the
                canvas. None: the whole canvas at once.
        overlap: share of a tile that its neighbour covers too; None: side by side, without blending.

    Yields:
        float32 (K, H, W): the sigmoid of one logit, or the softmax over several.
    """
    import torch

    from segstudy.inference.sliding_window import predict_tiles
    from segstudy.models.probabilities import channel_statistics

    mean, std = channel_statistics(normalisation, device)

    def per_pass(size: Sequence[int]) -> int:
        return max(1, PIXELS_PER_PASS // (size[0] * size[1]))

    def predict(x: torch.Tensor) -> torch.Tensor:
        return _mean_of_views(model, x, VIEWS if flips else VIEWS[:1])

    images_per_pass = per_pass(images.shape[1:3]) if tile else batch or per_pass(images.shape[1:3])
    model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for first in range(0, len(rows), images_per_pass):
        content = np.stack([images[row] for row in rows[first : first + images_per_pass]])
        with torch.inference_mode(), _plain_float32(device):
            # (B, H, W, C) seen as (B, C, H, W) is channels-last already.
            x = torch.from_numpy(content).to(device).permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
            if tile:  # a weighted mean of ones may be 1.0000001
                probability = predict_tiles(predict, x, tile, overlap, batch or per_pass(tile)).clamp_(0, 1)
            else:
                probability = predict(x)
            result = probability.cpu().numpy()
        yield from result


def logits_of(model: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Return float32 logits (B, K, H, W) of a normalised batch (B, C, H, W)."""
    logits: torch.Tensor = model(batch).float()
    return logits


def _mean_of_views(model: torch.nn.Module, x: torch.Tensor, views: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """Return the mean over views of the probabilities (B, K, H, W) of a normalised batch."""
    import torch

    from segstudy.models.probabilities import probabilities

    def view(axes: tuple[int, ...]) -> torch.Tensor:
        logits = logits_of(model, torch.flip(x, axes) if axes else x)
        probability = probabilities(logits)
        return torch.flip(probability, axes) if axes else probability

    total = view(views[0])
    for axes in views[1:]:
        total = total + view(axes)
    return total / len(views)


@contextmanager
def _plain_float32(device: torch.device | str) -> Iterator[None]:
    """Keep autocast off, and TF32 too: on a GPU it would round float32 inputs to 10 bits of mantissa."""
    import torch

    device_type = torch.device(device).type
    before = torch.backends.cuda.matmul.allow_tf32
    cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        torch.backends.cuda.matmul.allow_tf32 = False
        with torch.autocast(device_type, enabled=False), cudnn:
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _check_model(meta: Mapping[str, Any], store: Store, path: Path, outputs: int) -> None:
    if meta["in_channels"] != store.meta["channels"]:
        raise StudyError(
            f"the model takes {meta['in_channels']} channels, the store has {store.meta['channels']}",
            where=path,
            remedy="the store was made with another `colour:` since: train the cell again",
        )
    if meta["outputs"] != outputs:
        raise StudyError(
            f"the model has {meta['outputs']} outputs, the classes of the data set ask for {outputs}",
            where=path,
            allowed="one output for one foreground class, else one a class, background included",
            remedy="the classes have changed since: train the cell again",
        )
