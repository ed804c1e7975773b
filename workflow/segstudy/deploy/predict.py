"""Prediction of new images by a trained cell, with the same steps as in its study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from segstudy.core import files
from segstudy.core.errors import StudyError
from segstudy.core.progress import logger, report_progress, track
from segstudy.data.images.geometry import Geometry, to_canvas
from segstudy.data.images.orientation import orientation_of, turned_upright
from segstudy.data.images.read import read_image
from segstudy.data.store import in_colour
from segstudy.deploy.inputs import Picture, listed
from segstudy.deploy.outputs import WHOLE, Prediction, class_lines, field_of_view, problem_line, write_prediction
from segstudy.deploy.trained_cell import CellFiles, check_belongs, chosen_threshold
from segstudy.inference.new_images import placed, predict_large
from segstudy.inference.out_of_distribution import unlike
from segstudy.inference.predict import PIXELS_PER_PASS, predict_canvas

if TYPE_CHECKING:
    import torch


class Prepared(NamedTuple):
    """An image on its canvas."""

    place: int  # among all images
    picture: Picture
    orientation: int
    pixels: np.ndarray  # uint8 (H, W, C)
    geometry: Geometry  # of the upright image
    warning: str


Line = dict[str, Any]
Predict = Callable[[Sequence[Prepared]], Iterator[np.ndarray]]


def predict_images(
    cell: CellFiles,
    images: Sequence[Path],
    out: Path,
    *,
    threshold: str | None = None,
    device: str = "auto",
    roi: Path | None = None,
    overlays: bool = True,
    as_stored: bool = False,
    trust: bool = False,
) -> pd.DataFrame:
    """Predict images; return, and write as `out`/predictions.csv, what was found: columns in docs/using-a-model.md.

    Writes `<name>.png` into `out`/masks, /probabilities and, if asked for, /overlays: what `inference.predict_cell`
    writes of the images of a study, and for those the same bytes on the same machine. An image that cannot be read or
    predicted is a line with its `problem`, and does not stop the others.

    Args:
        images: files, and folders, which are searched with all that is in them.
        out: where the results go; what lies there under the same names is replaced.
        threshold: see `trained_cell.chosen_threshold`.
        device: `auto`, `cpu`, `cuda` or `cuda:<number>`.
        roi: folder of masks of the field of view; None predicts whole frames.
        overlays: draw the outlines of what was found on the pictures.
        as_stored: predict pixels as they are stored, whatever orientation the files note.
        trust: import whatever module the model file names for its network; see `models.model_checks.check_network`.

    Raises:
        StudyError: there is no image, two have one name, they lie where results go, or threshold or device is none; or
            the model file is not to be believed.
    """
    from segstudy.models.model_file import load_model
    from segstudy.runtime.memory import keep_freed_memory

    files.check_folder(out)
    pictures = listed(images, out)
    policy, value = chosen_threshold(cell, threshold)
    keep_freed_memory()
    torch_device = chosen_device(device)
    model, meta = load_model(cell.model, torch_device, trust=trust)
    check_belongs(cell, meta)
    if cell.usage["field_of_view"] and roi is None:
        logger.warning(
            "the study predicts nothing outside the field of view; without its masks (--roi) whole frames are predicted"
        )
    lines: dict[int, list[Line]] = {}
    note_failure = partial(_note_failure, lines, pictures)
    predict = partial(predict_prepared, model, cell=cell, scaling=meta["normalisation"], device=torch_device)
    for image, canvas in _in_passes(_prepared(pictures, cell, as_stored, note_failure), cell, predict):
        if image.warning:
            logger.warning("%s is unlike the training images: %s", image.picture.name, image.warning)
        try:
            inside = field_of_view(roi, image.picture.name, image.picture.plain)
            prediction = Prediction(
                image.picture.path, image.picture.name, image.orientation, image.geometry, canvas, inside
            )
            ids, probability = write_prediction(prediction, cell, out, value, overlays)
        except StudyError as error:
            note_failure(image.place, error)
            continue
        lines[image.place] = class_lines(prediction, cell, ids, probability, policy, value, image.warning)
    table = pd.DataFrame([line for place in sorted(lines) for line in lines[place]])
    table = table.astype(dict.fromkeys(WHOLE, "Int64"))  # whole numbers also beside a line that has none
    files.write_csv(Path(out) / "predictions.csv", table, sealed=False)
    return table


def _prepared(
    pictures: Sequence[Picture], cell: CellFiles, as_stored: bool, note_failure: Callable[[int, StudyError], None]
) -> Iterator[Prepared]:
    """Yield the images that can be read, on their canvases."""
    for place, picture in enumerate(track(pictures, "images")):
        report_progress({"done": place, "total": len(pictures)})
        try:
            yield prepare(place, picture, cell, as_stored)
        except StudyError as error:
            note_failure(place, error)


def _note_failure(lines: dict[int, list[Line]], pictures: Sequence[Picture], place: int, error: StudyError) -> None:
    """Log why an image has no prediction, and make this its line of the table."""
    picture = pictures[place]
    problem = _problem(error, picture.path)
    logger.warning("%s: %s", picture.name, problem)
    lines[place] = [problem_line(picture.path, problem)]


def _problem(error: StudyError, image: Path) -> str:
    """Return what is wrong with an image in one line; with the file concerned where it is another, such as a mask."""
    files = [line.strip() for line in error.where.splitlines()]
    return error.what if files in ([], [str(image)]) else f"{error.what} ({', '.join(files)})"


def chosen_device(name: str) -> torch.device:
    """Return the device of a name; `auto` is the first GPU, or the CPU.

    Raises:
        StudyError: this machine has no such device.
    """
    import torch

    from segstudy.runtime.device import choose_device

    if name == "auto":
        return choose_device()
    device_type, _, number = name.partition(":")
    count = torch.cuda.device_count()
    if name == "cpu" or (device_type == "cuda" and (number or "0").isdecimal() and int(number or 0) < count):
        return torch.device(name)
    raise StudyError(f"this machine has no device '{name}'", allowed=f"auto, cpu{', cuda' * bool(count)}")


def predict_prepared(
    model: torch.nn.Module, batch: Sequence[Prepared], cell: CellFiles, scaling: Any, device: torch.device
) -> Iterator[np.ndarray]:
    """Yield the probabilities (K, H, W) of images on canvases of one size.

    On the study's canvas, and whatever is no larger than a pass, as the study would; a larger canvas in tiles, so that
    the memory is that of the image, of its probabilities and of one pass.
    """
    usage = cell.usage
    height, width = batch[0].pixels.shape[:2]
    on_study_canvas = (height, width) == tuple(usage["canvas"])
    tile = tuple(usage["tile"]) if usage["tile"] else None
    if on_study_canvas or height * width <= PIXELS_PER_PASS:
        count = max(len(batch), usage["images_per_pass"] if on_study_canvas else 1)
        rows = [min(place, len(batch) - 1) for place in range(count)]
        content = np.stack([one.pixels for one in batch])
        for place, canvas in enumerate(
            predict_canvas(model, content, rows, scaling, device, tile=tile, overlap=usage["overlap"])
        ):
            if place < len(batch):
                yield canvas
        return
    for one in batch:
        yield predict_large(model, one.pixels, scaling, device, tile or tuple(usage["canvas"]), usage["overlap"])


def prepare(place: int, picture: Picture, cell: CellFiles, as_stored: bool) -> Prepared:
    """Return an image on the study's canvas, or, where it is larger, on one of its own.

    Raises:
        StudyError: it cannot be read.
    """
    usage = cell.usage
    orientation = 1 if as_stored else orientation_of(picture.path)
    image = np.ascontiguousarray(turned_upright(read_image(picture.path, cell.reading), orientation))
    original = (image.shape[0], image.shape[1])
    canvas, geometry = placed(original, (usage["canvas"][0], usage["canvas"][1]), usage["size"])
    pixels = to_canvas(in_colour(image, usage["colour"]), geometry, canvas, "image")
    warning = unlike(pixels[geometry.rectangle], original, usage["training_images"], usage)
    return Prepared(place, picture, orientation, pixels, geometry, warning)


def _in_passes(images: Iterator[Prepared], cell: CellFiles, predict: Predict) -> Iterator[tuple[Prepared, np.ndarray]]:
    """Yield each image with its probabilities; those on the study's canvas go through the network together."""
    waiting: list[Prepared] = []
    for one in images:
        if list(one.pixels.shape[:2]) != cell.usage["canvas"]:
            yield one, next(predict([one]))
            continue
        waiting.append(one)
        if len(waiting) == cell.usage["images_per_pass"]:
            yield from zip(waiting, predict(waiting), strict=True)
            waiting = []
    if waiting:
        yield from zip(waiting, predict(waiting), strict=True)
