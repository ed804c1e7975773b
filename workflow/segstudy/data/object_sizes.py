"""How large and how thick the objects of masks are: what a plan and the sight of a network are measured by."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segstudy.core.errors import StudyError
from segstudy.data.images.label_map import Labels, read_ids

MEASURED = 24  # masks of a data set, evenly spread over its list
FEWEST, MOST_PIXELS = 3, 3e7  # of them, where masks are large: a second for each two million pixels
LONGEST = 4  # thicknesses: what is longer, such as a tree of vessels, is told from background by a part of it


class ObjectSizes(NamedTuple):
    """Objects of a mask, in pixels of its file."""

    areas: NDArray[np.int64]
    spans: NDArray[np.float64]  # the longer side of the box around each, at most `LONGEST` times its thickness
    thinnest: float  # thickness that a tenth of the middle lines of all objects does not reach


def measure_objects(ids: NDArray[np.integer[Any]]) -> ObjectSizes | None:
    """Return the sizes of the objects of a mask (H, W) of class ids, 0 for background; None where there are none.

    An object is what touches at sides or corners and is of one class. Its thickness is the diameter of the largest
    circle in it, by the distances of its pixels to the nearest one outside; middle lines are skeletons (Zhang and
    Suen 1984).
    """
    from scipy import ndimage
    from skimage.measure import label
    from skimage.morphology import skeletonize

    objects, count = label(ids, background=0, connectivity=2, return_num=True)
    if not count:
        return None
    apart = _apart(objects)
    thickness = 2 * ndimage.distance_transform_edt(np.pad(apart, 1))[1:-1, 1:-1] - 1
    thickest = ndimage.maximum(thickness, objects, range(1, count + 1))
    boxes = [max(part.stop - part.start for part in box) for box in ndimage.find_objects(objects)]
    middle = skeletonize(apart)
    return ObjectSizes(
        areas=np.bincount(objects.ravel(), minlength=count + 1)[1:],
        spans=np.minimum(boxes, LONGEST * np.asarray(thickest)),
        thinnest=float(np.percentile(thickness[middle], 10)),
    )


def _apart(objects: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Return the pixels of all objects, with a line of background between those that touch."""
    result: NDArray[np.bool_] = objects > 0
    for axis in (0, 1):
        first, second = (np.moveaxis(objects, axis, 0)[part] for part in (np.s_[:-1], np.s_[1:]))
        np.moveaxis(result, axis, 0)[:-1][(first != second) & (second > 0)] = False
    return result


def object_card(rows: pd.DataFrame, root: Path, labels: Labels) -> dict[str, Any] | None:
    """Return the objects of a data set as its card tells them; None where no mask has any.

    `span` is the median over pixels: half of the foreground lies in objects at least that large. Specks are many and
    large objects few, so that the median over objects would tell of specks. Masks of an official test set are not
    looked at.

    Args:
        rows: of the index.
        root: folder of the files.
        labels: how masks are read.
    """
    rows = rows[(rows["mask"] != "") & (rows["official_subset"] != "test")]
    pixels = max(1.0, float((rows["width"] * rows["height"]).mean())) if len(rows) else 1.0
    count = min(len(rows), MEASURED, max(FEWEST, int(MOST_PIXELS / pixels)))
    places = np.unique(np.linspace(0, len(rows) - 1, count).astype(int))
    found = []
    for path in rows["mask"].iloc[places]:
        try:
            sizes = measure_objects(read_ids(root / path, labels).array)
        except StudyError:  # the checks say so
            continue
        if sizes is not None:
            found.append(sizes)
    if not found:
        return None
    return {
        "masks": len(found),
        "objects": float(np.median([len(sizes.areas) for sizes in found])),
        "area": _median_of_pixels([sizes.areas for sizes in found], found),
        "span": _median_of_pixels([sizes.spans for sizes in found], found),
        "thinnest": round(float(np.median([sizes.thinnest for sizes in found])), 1),
    }


def _median_of_pixels(values: list[NDArray[Any]], found: list[ObjectSizes]) -> float:
    every, weights = np.concatenate(values), np.concatenate([sizes.areas for sizes in found])
    order = np.argsort(every, kind="stable")
    reached = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return round(float(every[order][reached]), 1)
