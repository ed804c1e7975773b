"""Objects of two masks, matched one to one: what instance segmentation is measured by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segstudy.evaluation.metrics import IOU_LEVELS, matched_column

Ids = NDArray[np.int_]


def connected(mask: NDArray[np.bool_]) -> Ids:
    """Return the number of each pixel's connected piece (H, W), 0 outside; pieces hold together over corners too."""
    from scipy.ndimage import label

    ids: Ids = label(mask, np.ones((3, 3)))[0]
    return ids


def matched_objects(prediction: Ids, truth: Ids) -> dict[str, float]:
    """Compare the objects of two masks: ids (H, W), 0 for the background, each other value one object.

    Two objects match at a level where their IoU is above it. Above 0.5 no object can match twice, so there is nothing
    to assign (Kirillov 2019, doi:10.1109/CVPR.2019.00963). A true object is split where two or more predicted
    objects lie in it, each with more than half of its own pixels; a predicted object merges true ones likewise.

    Returns:
        Columns of `metrics.INSTANCES`: numbers of objects, matched pairs at each level of `metrics.IOU_LEVELS`, the
        sum of the IoU of the pairs above 0.5, numbers of split true objects and of merging predicted ones.
    """
    predicted, true, pixels, size_predicted, size_true = _overlaps(prediction, truth)
    union = size_predicted[predicted] + size_true[true] - pixels
    columns: dict[str, float] = {
        "instances_prediction": len(size_predicted),
        "instances_truth": len(size_true),
    }
    for percent in IOU_LEVELS:
        columns[matched_column(percent)] = int(np.count_nonzero(100 * pixels > percent * union))
    pairs = 2 * pixels > union
    columns["iou_matched"] = float((pixels[pairs] / union[pairs]).sum())
    columns["splits"] = _with_several(true[2 * pixels > size_predicted[predicted]])
    columns["merges"] = _with_several(predicted[2 * pixels > size_true[true]])
    return columns


def _overlaps(prediction: Ids, truth: Ids) -> tuple[Ids, Ids, Ids, Ids, Ids]:
    """Return, for each pair of objects that share pixels, both numbers and the shared pixels; and all objects' sizes.

    Numbers count from 0, in the order of the ids.
    """
    in_prediction, in_truth = prediction > 0, truth > 0
    names_predicted, size_predicted = np.unique(prediction[in_prediction], return_counts=True)
    names_true, size_true = np.unique(truth[in_truth], return_counts=True)
    both = in_prediction & in_truth
    predicted = np.searchsorted(names_predicted, prediction[both])
    true = np.searchsorted(names_true, truth[both])
    pairs, pixels = np.unique(predicted * max(1, len(names_true)) + true, return_counts=True)
    predicted, true = np.divmod(pairs, max(1, len(names_true)))
    return predicted, true, pixels, size_predicted, size_true


def _with_several(numbers: Ids) -> int:
    """Return how many numbers occur more than once."""
    return int(np.count_nonzero(np.unique(numbers, return_counts=True)[1] > 1))
