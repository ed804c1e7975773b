"""The prediction of one image: its files, and its lines in predictions.csv."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_path
from segstudy.core.names import spelled
from segstudy.data.ground_truth import check_same_size
from segstudy.data.images.geometry import Geometry, to_original
from segstudy.data.images.orientation import note_orientation, turned_back, turned_upright
from segstudy.data.images.overlay import overlay
from segstudy.data.images.prediction_files import read_probability, write_classes, write_probability
from segstudy.data.images.read import SUFFIXES, read_image
from segstudy.data.images.read_masks import read_mask
from segstudy.deploy.trained_cell import CellFiles
from segstudy.evaluation.thresholds import binarise
from segstudy.inference.predict import most_probable

COLUMNS = (
    *("file", "width", "height", "class", "area_px", "share", "components", "largest_component_px"),
    *("mean_probability", "policy", "threshold", "warnings", "problem"),
)
WHOLE = ("width", "height", "area_px", "components", "largest_component_px")


class Prediction(NamedTuple):
    """The probabilities of an image."""

    path: Path
    name: str
    orientation: int  # that the file notes; the network saw it upright
    geometry: Geometry
    canvas: np.ndarray  # float32 (K, H, W)
    inside: tuple[Path, np.ndarray] | None  # file and mask of the field of view, on the stored pixels


def field_of_view(folder: Path | None, *names: str) -> tuple[Path, np.ndarray] | None:
    """Return the mask of the field of view of an image: `<name>`, or `<name>_mask`, with any suffix, in `folder`.

    The first of `names` that there is a mask for counts.

    Raises:
        StudyError: there is none, it cannot be read, or it is empty.
    """
    if folder is None:
        return None
    for stem in (stem for name in names for stem in (name, f"{name}_mask")):
        for suffix in SUFFIXES:
            path = Path(folder) / f"{stem}{suffix}"
            if path.is_file():
                mask = read_mask(path).array
                if not mask.any():
                    raise StudyError("the field of view is empty: no pixel counts", where=path)
                return path, mask
    raise StudyError(f"there is no mask of its field of view, {names[-1]} or {names[-1]}_mask", where=folder)


def write_prediction(
    prediction: Prediction, cell: CellFiles, out: Path, threshold: float | None, overlays: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Write probability, mask and overlay of an image; return class ids uint8 (H, W), and the probability as stored.

    Probability and mask lie on the pixels as the image file stores them, and note its orientation, so that whatever
    program opens the image and its mask sees both alike. The overlay is upright.

    Raises:
        StudyError: the field of view is of another size than the image.
    """
    if cell.several:
        probability, ids = most_probable(prediction.canvas, prediction.geometry)
        ids = np.ascontiguousarray(turned_back(ids, prediction.orientation))
    else:
        probability = to_original(prediction.canvas[0], prediction.geometry)
    probability = np.ascontiguousarray(turned_back(probability, prediction.orientation))
    if prediction.inside:
        path, inside = prediction.inside
        check_same_size(inside, probability, path, prediction.path)
        probability = probability * inside
    with atomic_path(out / "probabilities" / f"{prediction.name}.png") as temporary:
        write_probability(temporary, probability)
        probability = read_probability(temporary)
        if prediction.orientation != 1:
            note_orientation(temporary, prediction.orientation)
    if not cell.several:
        assert threshold is not None
        ids = binarise(probability, threshold).astype(np.uint8)
    elif prediction.inside:
        ids = ids * prediction.inside[1]
    colours = [(red, green, blue) for red, green, blue in cell.usage["colours"]]
    with atomic_path(out / "masks" / f"{prediction.name}.png") as temporary:
        if cell.several:
            write_classes(temporary, ids, colours)
        else:
            Image.fromarray(ids * np.uint8(255)).save(temporary, compress_level=1)
        if prediction.orientation != 1:
            note_orientation(temporary, prediction.orientation)
    if overlays:
        image = read_image(prediction.path, cell.reading)
        parts = [image, ids] + ([prediction.inside[1]] if prediction.inside else [])
        upright = [np.ascontiguousarray(turned_upright(part, prediction.orientation)) for part in parts]
        names, edge = cell.usage["classes"], upright[2] if prediction.inside else None
        drawn = overlay(upright[0], upright[1], names, colours, edge)
        with atomic_path(out / "overlays" / f"{prediction.name}.png") as temporary:
            drawn.save(temporary, compress_level=3)
    return ids, probability


def class_lines(
    prediction: Prediction,
    cell: CellFiles,
    ids: np.ndarray,
    probability: np.ndarray,
    policy: str,
    threshold: float | None,
    warning: str,
) -> list[dict[str, Any]]:
    """Return the lines of an image: one for each foreground class. Components touch at sides or corners."""
    from scipy.ndimage import label

    height, width = ids.shape
    seen = int(prediction.inside[1].sum()) if prediction.inside else ids.size
    lines = []
    for number, name in enumerate(cell.usage["classes"][1:], start=1):
        mask = ids == number
        area = int(mask.sum())
        components, count = label(mask, np.ones((3, 3)))
        sizes = np.bincount(components.ravel())[1:]
        values: tuple[Any, ...] = (spelled(str(prediction.path)), width, height, name, area, area / seen, count)
        values += (int(sizes.max(initial=0)), float(probability[mask].mean(dtype=np.float64)) if area else None)
        lines.append(dict(zip(COLUMNS, (*values, policy, threshold, warning, ""), strict=True)))
    return lines


def problem_line(path: Path, problem: str) -> dict[str, Any]:
    """Return the line of an image that could not be predicted."""
    return dict.fromkeys(COLUMNS) | {"file": spelled(str(path)), "warnings": "", "problem": problem}
