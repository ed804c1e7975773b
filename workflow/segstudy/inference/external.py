"""Predict an external test set: images of a data set that a cell has nothing to do with, at their original size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from segstudy.config.datasets import Prediction
from segstudy.core import files
from segstudy.core.errors import StudyError
from segstudy.core.progress import track
from segstudy.data.ground_truth import LabelledImages, Row
from segstudy.data.images.geometry import Geometry, SizeOption, canvas_size, fit, to_canvas
from segstudy.data.images.label_map import Labels
from segstudy.data.images.reading import reading_of
from segstudy.data.store import Colour, check_size, in_colour, read_fitting
from segstudy.inference.masks import write_masks, writing
from segstudy.inference.new_images import placed, predict_image
from segstudy.inference.predict import write_image

if TYPE_CHECKING:
    import pandas as pd


class SeenAs(NamedTuple):
    """How the networks of a data set see images: the canvas they were trained on, and how images come onto it."""

    canvas: tuple[int, int]  # height, width
    size: SizeOption
    colour: Colour
    factor: float | None  # by which an external image is resized; None: as the training images were, by `size`
    tiles: tuple[tuple[int, int] | None, float | None]  # size and overlap of the tiles that they predict in

    def size_of(self, original: tuple[int, int]) -> SizeOption:
        """Return the `size:` of an external image of (height, width) `original`."""
        if self.factor is None:
            return self.size
        longest = max(original)
        long_side = max(1, round(longest * self.factor))
        return "native" if long_side == longest else {"long_side": long_side}


def seen_as(index: pd.DataFrame, settings: Mapping[str, Any]) -> SeenAs:
    """Return how the networks of a data set see images.

    Where both data sets have a scale, the factor is

        resize factor of the training images (median) x scale of their data set / scale of the external one

    so that the length which the scales give has as many pixels in the network's view as it has in the training images.

    Args:
        index: index.csv of the data set they were trained on.
        settings: its `size`, `colour`, `prediction` and `scale`, and `external_scale`, that of the external data set.
    """
    sizes = list(zip(index["height"].astype(int), index["width"].astype(int), strict=True))
    canvas = canvas_size(sizes, settings["size"])
    factor = None
    if settings["scale"] is not None:
        places = [fit(original, canvas, settings["size"]) for original in sizes]
        resized = np.median([max(p.height, p.width) / max(p.original_height, p.original_width) for p in places])
        factor = float(resized) * settings["scale"] / settings["external_scale"]
    prediction = Prediction.model_validate(settings["prediction"])
    tiles = (prediction.tile, prediction.overlap)
    return SeenAs(canvas, settings["size"], settings["colour"], factor, tiles)


def predict_external(
    model: Path,
    images: LabelledImages,
    seen: SeenAs,
    outputs: tuple[Path, Path],
    threshold: float | None,
    flips: bool = False,
    network_name: str = "",
) -> None:
    """Predict images of an external data set; write `<sample>.png` of probability and mask as `predict_cell` does.

    Args:
        model: model.safetensors of the cell.
        seen: how the network sees images.
        outputs: folders of the probabilities and of the masks.
        threshold: of the cell's headline policy; None of several classes.
        flips: average over mirror images, see `predict_canvas`.
        network_name: see `model_checks.check_network`.

    Raises:
        StudyError: there is no image, or the model has other channels or classes.
    """
    from segstudy.models.model_file import load_model
    from segstudy.runtime.device import choose_device
    from segstudy.runtime.memory import keep_freed_memory

    keep_freed_memory()
    rows, root, labels = images.rows(), images.root, images.labels
    if not rows:
        raise StudyError("no image of the external test set is measured", where=root)
    device = choose_device()
    trained, meta = load_model(model, device, named=network_name)
    check_fits(meta, seen, labels, model)
    scaling = meta["normalisation"]
    with (
        files.atomic_folder(outputs[0], sealed=True) as probabilities,
        files.atomic_folder(outputs[1], sealed=True) as masks,
    ):
        with writing() as submit:
            for row in track(rows, "predict", total=len(rows)):
                pixels, geometry = on_canvas(row, root, seen)
                canvas = predict_image(trained, pixels, scaling, device, seen.canvas, *seen.tiles, flips)
                submit(write_image, row, root, labels, (probabilities, masks), canvas, geometry)
        if threshold is not None:
            write_masks(rows, probabilities, masks, threshold)


def on_canvas(row: Row, root: Path, seen: SeenAs) -> tuple[np.ndarray, Geometry]:
    """Return one image as the network sees it, uint8 (H, W, C), and how it lies on this canvas."""
    image, canvas, geometry, lies = read_placed(row, root, seen)
    return to_canvas(in_colour(image, seen.colour), lies, canvas, "image"), geometry


def read_placed(row: Row, root: Path, seen: SeenAs) -> tuple[np.ndarray, tuple[int, int], Geometry, Geometry]:
    """Return an image, uint8 (H, W, 3), its canvas, how it lies there, and how this array lies there.

    The two geometries differ for a very large picture, which is resized while it is read.
    """
    original = int(row["height"]), int(row["width"])
    canvas, geometry = placed(original, seen.canvas, seen.size_of(original))
    image, size, lies = read_fitting(root / row["image"], geometry, reading_of(row))
    check_size(row, "image", size, geometry, root)
    return image, canvas, geometry, lies


def check_fits(meta: Mapping[str, Any], seen: SeenAs, labels: Labels, model: Path) -> None:
    """Check that a model has the channels and classes of an external test set.

    Raises:
        StudyError: naming both.
    """
    channels, outputs = 3 if seen.colour == "rgb" else 1, 1 if len(labels.names) == 2 else len(labels.names)
    for what, has, needed in (("channels", meta["in_channels"], channels), ("outputs", meta["outputs"], outputs)):
        if has != needed:
            raise StudyError(
                f"the model has {has} {what}, the external test set asks for {needed}",
                where=model,
                remedy="give both data sets the same classes and colour; or train the cell again, where they changed",
            )
