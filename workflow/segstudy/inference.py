"""From a trained network to probabilities and masks of every labelled image, at its original size.

Torch is imported where it is needed: `read_probability` serves rules that compute no tensors.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from segstudy import files
from segstudy.config.study import Evaluation
from segstudy.errors import StudyError
from segstudy.geometry import to_original
from segstudy.labels import Labels
from segstudy.probabilities import read_probability, write_probability
from segstudy.progress import track
from segstudy.store import Store, open_store
from segstudy.thresholds import binarise, otsu_of, tune
from segstudy.truth import Row, labelled, only_class, roi_of, truth_of

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("segstudy")

# Pixels in one forward pass (one image at least): bounds the memory of the feature maps, and is enough to keep
# the cores busy.
PIXELS_PER_PASS = 2**20
WRITERS = 2


def predict_cell(
    model: Path,
    store: Path,
    split: pd.DataFrame,
    index: pd.DataFrame,
    root: Path,
    out_probabilities: Path,
    out_masks: Path,
    out_thresholds: Path,
    evaluation: Evaluation,
    labels: Labels,
) -> None:
    """Predict every train, val and test image that has a mask, and choose the cell's thresholds.

    Writes `<sample>.png` of the probability (16 bit: p = value / 65535) and of the mask ({0, 255}, at the headline
    threshold), both at the image's original size, and thresholds.json (policy -> threshold). Outside the field of
    view, where there is one, the probability is 0: no training looked there, and no target lies there. Thresholds are
    chosen and applied on the probabilities as stored, so whoever reads the files finds the same masks, bit for
    bit. `validation` is tuned on the validation images alone, inside the roi.

    Raises:
        StudyError: where model, store, split and index do not belong together, or the data set has several
            classes.
    """
    from segstudy.checkpoint import load_model
    from segstudy.precision import choose_device

    opened = open_store(store)
    only_class(labels.foreground)
    rows = labelled(index, split)
    if not rows:
        raise StudyError("no image of the split has a mask, so there is nothing to predict", where=root)
    device = choose_device()
    network, meta = load_model(model, device)
    _check_model(meta, opened, model)
    with files.atomic_folder(out_probabilities) as probabilities, files.atomic_folder(out_masks) as masks:
        _write_probabilities(network, meta["normalisation"], opened, rows, root, probabilities, device)
        thresholds = _thresholds(rows, root, probabilities, evaluation, labels)
        _write_masks(rows, probabilities, masks, thresholds[evaluation.headline])
    files.write_json(out_thresholds, thresholds)


def predict_canvas(
    network: torch.nn.Module,
    images: np.ndarray,
    rows: Sequence[int] | np.ndarray,
    normalisation: Mapping[str, Sequence[float]],
    device: torch.device | str = "cpu",
    batch: int | None = None,
) -> Iterator[np.ndarray]:
    """Yield the probabilities of the given rows of a store, on its canvas, in the order of `rows`.

    Always in float32: single images move by up to 0.011 Dice between bf16 and float32 evaluation.

    Args:
        network: (B, C, H, W) -> logits (B, K, H, W), on `device`.
        images: uint8 (N, H, W, C); may be memory-mapped.
        rows: which of them.
        normalisation: `mean` and `std` of each channel, intensities in 0..1.
        device: where to compute.
        batch: images in one forward pass; by default as many as fit `PIXELS_PER_PASS`.

    Yields:
        float32 (K, H, W): the sigmoid of one logit, or the softmax over several.
    """
    import torch

    mean, std = (torch.tensor(normalisation[key], device=device).view(1, -1, 1, 1) for key in ("mean", "std"))
    together = batch or max(1, PIXELS_PER_PASS // (images.shape[1] * images.shape[2]))
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for first in range(0, len(rows), together):
        content = np.stack([images[row] for row in rows[first : first + together]])
        with torch.inference_mode(), _plain_float32(device):
            # (B, H, W, C) seen as (B, C, H, W) is channels-last already.
            x = torch.from_numpy(content).to(device).permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
            logits = logits_of(network, x)
            probability = logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)
            result = probability.cpu().numpy()
        yield from result


def logits_of(network: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Return float32 logits (B, K, H, W) of a normalised batch (B, C, H, W): the whole canvas in one piece."""
    logits: torch.Tensor = network(batch).float()
    return logits


@contextmanager
def _plain_float32(device: torch.device | str) -> Iterator[None]:
    """Keep autocast off, and TF32 too: on a GPU it would round float32 inputs to 10 bits of mantissa."""
    import torch

    kind = torch.device(device).type
    before = torch.backends.cuda.matmul.allow_tf32
    cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        torch.backends.cuda.matmul.allow_tf32 = False
        with torch.autocast(kind, enabled=False), cudnn:
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _check_model(meta: Mapping[str, Any], store: Store, path: Path) -> None:
    if meta["in_channels"] != store.meta["channels"]:
        raise StudyError(
            f"the model takes {meta['in_channels']} channels, the store has {store.meta['channels']}",
            where=path,
            remedy="the store was made with another `colour:` since: train the cell again",
        )
    if meta["outputs"] != 1:
        raise StudyError(
            f"the model has {meta['outputs']} outputs, the data set one class", where=path, allowed="1 output"
        )


def _write_probabilities(
    network: torch.nn.Module,
    normalisation: Mapping[str, Sequence[float]],
    store: Store,
    rows: Sequence[Row],
    root: Path,
    folder: Path,
    device: torch.device,
) -> None:
    positions = store.rows(row["sample"] for row in rows)
    predictions = predict_canvas(network, store.images, positions, normalisation, device)

    def write(row: Row, position: int, probability: np.ndarray) -> None:
        original = to_original(probability, store.geometry_of(position))
        roi = roi_of(row, root)
        write_probability(folder / f"{row['sample']}.png", original if roi is None else original * roi)

    with _writing() as submit:
        pairs = zip(rows, positions, predictions, strict=True)
        for row, position, probability in track(pairs, "predict", total=len(rows)):
            submit(write, row, position, probability[0])


def _thresholds(
    rows: Sequence[Row], root: Path, probabilities: Path, evaluation: Evaluation, labels: Labels
) -> dict[str, float]:
    thresholds: dict[str, float] = {}
    for policy in evaluation.policies:
        if policy == "fixed":
            thresholds[policy] = evaluation.fixed_threshold
        else:
            validation = [row for row in rows if row["subset"] == "val"]
            choose = tune if policy == "validation" else otsu_of
            thresholds[policy] = choose(_pairs(validation, root, probabilities, labels))
    logger.info("thresholds: %s", ", ".join(f"{policy} {value:.4f}" for policy, value in thresholds.items()))
    return thresholds


def _pairs(
    rows: Sequence[Row], root: Path, probabilities: Path, labels: Labels
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for row in track(rows, "tune the threshold"):
        truth = truth_of(row, root, labels)
        yield read_probability(probabilities / f"{row['sample']}.png"), truth.mask, truth.inside


def _write_masks(rows: Sequence[Row], probabilities: Path, folder: Path, threshold: float) -> None:
    def write(sample: str) -> None:
        mask = binarise(read_probability(probabilities / f"{sample}.png"), threshold)
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{sample}.png", compress_level=1)

    with _writing() as submit:
        for row in track(rows, "masks"):
            submit(write, row["sample"])


@contextmanager
def _writing() -> Iterator[Callable[..., None]]:
    """Yield a function that runs `work(*arguments)` in a thread; it waits while too many are unfinished.

    Compressing a PNG leaves Python's lock to the network's forward pass. Errors end the block.
    """
    pending: deque[Future[None]] = deque()
    with ThreadPoolExecutor(WRITERS) as pool:

        def submit(work: Callable[..., None], *arguments: object) -> None:
            while len(pending) >= 2 * WRITERS:
                pending.popleft().result()
            pending.append(pool.submit(work, *arguments))

        yield submit
        while pending:
            pending.popleft().result()
