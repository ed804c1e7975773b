"""Measures of two masks beside pixel counts: outlines, centre lines, objects and holes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from segstudy.evaluation.instances import Ids, connected, matched_objects
from segstudy.evaluation.metrics import MEASURES
from segstudy.evaluation.surface_distance import surfaces
from segstudy.evaluation.topology import Pieces, centre_line, pieces


class Measures(NamedTuple):
    """What is measured beside counts of pixels: keys of `metrics.MEASURES`; the tolerance in pixels."""

    names: tuple[str, ...] = ()
    tolerance: float = 2.0

    @property
    def columns(self) -> list[str]:
        """Columns that this adds to counts.csv, in order."""
        return [column for name, columns in MEASURES.items() if name in self.names for column in columns]


PIXELS_ALONE = Measures()


class Shape(NamedTuple):
    """A mask, bool (H, W), cut to the region; its centre line, pieces and objects where they are measured."""

    mask: np.ndarray
    line: np.ndarray | None
    pieces: Pieces | None
    objects: Ids | None  # (H, W): 0 outside, the object's number inside


def shape_of(mask: np.ndarray, names: Collection[str]) -> Shape:
    """Return the centre line, the pieces and the objects of a mask, as far as the measures `names` need them."""
    line = centre_line(mask) if "cldice" in names else None
    objects = connected(mask) if "instances" in names else None
    return Shape(mask, line, pieces(mask) if "objects" in names else None, objects)


def compared(prediction: Shape, truth: Shape, measures: Measures) -> dict[str, Any]:
    """Return the columns of counts.csv that compare two shapes of one size."""
    columns: dict[str, Any] = {}
    if "surface" in measures.names:
        columns |= surfaces(prediction.mask, truth.mask, measures.tolerance)._asdict()
    if prediction.line is not None and truth.line is not None:
        columns |= {
            "line_prediction": int(np.count_nonzero(prediction.line)),
            "line_truth": int(np.count_nonzero(truth.line)),
            "line_prediction_inside": int(np.count_nonzero(prediction.line & truth.mask)),
            "line_truth_found": int(np.count_nonzero(truth.line & prediction.mask)),
        }
    for name, shape in (("prediction", prediction), ("truth", truth)):
        if shape.pieces is not None:
            columns |= {f"{piece}_{name}": number for piece, number in shape.pieces._asdict().items()}
    if prediction.objects is not None and truth.objects is not None:
        columns |= matched_objects(prediction.objects, truth.objects)
    return columns
