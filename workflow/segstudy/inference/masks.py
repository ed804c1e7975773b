"""Choose thresholds from stored probabilities, and write masks."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from segstudy.config.evaluation import Evaluation
from segstudy.core.progress import track
from segstudy.data.ground_truth import Row, truth_of
from segstudy.data.images.label_map import Labels
from segstudy.data.images.prediction_files import read_probability
from segstudy.evaluation.thresholds import binarise, otsu_of, tune

logger = logging.getLogger("segstudy")

WRITERS = 2


def choose_thresholds(
    rows: Sequence[Row], root: Path, probabilities: Path, evaluation: Evaluation, labels: Labels
) -> dict[str, float]:
    """Return policy -> threshold: fixed beforehand, or from the probabilities as stored.

    `training` looks at the training images, the others at the validation images: none at a test image.
    """
    thresholds: dict[str, float] = {}
    for policy in evaluation.policies:
        if policy == "oracle":
            continue  # it needs the test images, which have no say in what is predicted: see `evaluation.measure`
        if policy == "fixed":
            thresholds |= evaluation.fixed
        else:
            subset = "train" if policy == "training" else "val"
            chosen = [row for row in rows if row["subset"] == subset]
            choose = otsu_of if policy == "otsu" else tune
            thresholds[policy] = choose(_pairs(chosen, root, probabilities, labels))
    logger.info("thresholds: %s", ", ".join(f"{policy} {value:.4f}" for policy, value in thresholds.items()))
    return thresholds


def _pairs(
    rows: Sequence[Row], root: Path, probabilities: Path, labels: Labels
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for row in track(rows, "tune the threshold"):
        truth = truth_of(row, root, labels)
        yield read_probability(probabilities / f"{row['sample']}.png"), truth.mask, truth.inside


def write_masks(rows: Sequence[Row], probabilities: Path, folder: Path, threshold: float) -> None:
    """Write the mask {0, 255} of every row's probability at the threshold."""

    def write(sample: str) -> None:
        mask = binarise(read_probability(probabilities / f"{sample}.png"), threshold)
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{sample}.png", compress_level=1)

    with writing() as submit:
        for row in track(rows, "masks"):
            submit(write, row["sample"])


@contextmanager
def writing() -> Iterator[Callable[..., None]]:
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
