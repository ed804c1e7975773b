"""Every measure as a formula over the columns of counts.csv; an undefined value is NaN, never a silent 0 or 1."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from operator import attrgetter
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

# Numbers, or arrays (numpy, pandas) of one shape; a ratio is of the kind that its counts are.
Numbers: TypeAlias = Any
# Anything with the columns that a formula names as attributes: Counts, a table, sums of counts.
Countable: TypeAlias = Any

COUNTS = ("tp", "fp", "fn", "tn")
COLUMNS = ["sample", "subset", "class", "region", "policy", "threshold", *COUNTS]  # of every counts.csv
SURFACE = ("surface_prediction", "surface_truth", "close_prediction", "close_truth")
DISTANCES = ("hd95", "assd", "diagonal")
LINES = ("line_prediction", "line_truth", "line_prediction_inside", "line_truth_found")
PIECES = ("objects_prediction", "objects_truth", "holes_prediction", "holes_truth")
IOU_LEVELS = tuple(range(50, 100, 5))  # percent: above which two objects match


def matched_column(percent: int) -> str:
    """Return the column of counts.csv with the number of objects matched above an IoU of `percent`."""
    return f"matched_{percent}"


INSTANCES = (
    *("instances_prediction", "instances_truth", *map(matched_column, IOU_LEVELS)),
    *("iou_matched", "splits", "merges"),
)
SCORES = ("roc_auc", "average_precision", "brier", "ece")
# What `evaluation.measures` may name, with the columns that it adds to counts.csv.
MEASURES = {
    **{"surface": (*SURFACE, *DISTANCES), "cldice": LINES, "objects": PIECES, "scores": SCORES},
    "instances": INSTANCES,
}
SUMMABLE = (*COUNTS, *SURFACE, *LINES, *INSTANCES)  # columns that may be summed over images before a ratio is taken


class Metric(NamedTuple):
    """A measure with its description for tables and pages."""

    function: Callable[[Countable], Numbers]
    label: str
    direction: Literal["higher", "lower"]  # which is better
    formula: str
    meaning: str
    columns: tuple[str, ...] = COUNTS  # of counts.csv, that it is made of; the last is never NaN where it was measured
    undefined: str = ""  # when, in words; empty: where the denominator of `formula` is 0
    ranked_by: str = ""  # the metric that says which row is best, where it is not this one

    @property
    def pooled(self) -> bool:
        """Whether it may be taken of columns summed over images."""
        return set(self.columns) <= set(SUMMABLE)

    @property
    def when_undefined(self) -> str:
        """When an image has no value, in words."""
        return self.undefined or f"the denominator of {self.formula} is 0"


def dice(counts: Countable) -> Numbers:
    """Dice overlap (Dice 1945, doi:10.2307/1932409), also F1: 2 TP / (2 TP + FP + FN)."""
    return ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def iou(counts: Countable) -> Numbers:
    """Intersection over union (Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x): TP / (TP + FP + FN)."""
    return ratio(counts.tp, counts.tp + counts.fp + counts.fn)


def accuracy(counts: Countable) -> Numbers:
    """Share of pixels that are right: (TP + TN) / (TP + FP + FN + TN)."""
    return ratio(counts.tp + counts.tn, counts.tp + counts.fp + counts.fn + counts.tn)


def sensitivity(counts: Countable) -> Numbers:
    """Share of the true foreground that is found, also recall: TP / (TP + FN)."""
    return ratio(counts.tp, counts.tp + counts.fn)


def specificity(counts: Countable) -> Numbers:
    """Share of the true background that is left alone: TN / (TN + FP)."""
    return ratio(counts.tn, counts.tn + counts.fp)


def precision(counts: Countable) -> Numbers:
    """Share of the predicted foreground that is right: TP / (TP + FP)."""
    return ratio(counts.tp, counts.tp + counts.fp)


def pixel_error(counts: Countable) -> Numbers:
    """Share of pixels that are wrong, 1 - accuracy: (FP + FN) / (TP + FP + FN + TN)."""
    return ratio(counts.fp + counts.fn, counts.tp + counts.fp + counts.fn + counts.tn)


def balanced_accuracy(counts: Countable) -> Numbers:
    """Mean of sensitivity and specificity; needs foreground and background in the truth."""
    return (sensitivity(counts) + specificity(counts)) / 2


def mcc(counts: Countable) -> Numbers:
    """Matthews correlation (Matthews 1975, doi:10.1016/0005-2795(75)90109-9) of the two masks, -1..1."""
    predicted, true = counts.tp + counts.fp, counts.tp + counts.fn
    left, false = counts.tn + counts.fn, counts.tn + counts.fp
    # The product of all four overflows whole numbers from images of 60 thousand pixels on.
    root = np.sqrt(1.0 * predicted * true) * np.sqrt(1.0 * left * false)
    return ratio(1.0 * counts.tp * counts.tn - 1.0 * counts.fp * counts.fn, root)


def surface_dice(counts: Countable) -> Numbers:
    """Normalised surface Dice: share of both outlines that lies within the tolerance of the other one."""
    return ratio(counts.close_prediction + counts.close_truth, counts.surface_prediction + counts.surface_truth)


def hd95_ranked(counts: Countable) -> Numbers:
    """HD95, the diagonal of the image where one of the masks is empty: to rank by, not to report."""
    return _worst_where_one_is_empty(counts.hd95, counts)


def assd_ranked(counts: Countable) -> Numbers:
    """ASSD, the diagonal of the image where one of the masks is empty: to rank by, not to report."""
    return _worst_where_one_is_empty(counts.assd, counts)


def cldice(counts: Countable) -> Numbers:
    """Centre line Dice (Shit 2021, doi:10.1109/CVPR46437.2021.01629).

    The harmonic mean of the share of the prediction's centre line inside the truth and the share of the truth's
    inside the prediction. 0 where one mask alone has a line, or neither share is above 0; NaN where none has one.
    """
    inside, covered = counts.line_prediction_inside, counts.line_truth_found
    product = 2 * inside * covered
    total = inside * counts.line_truth + covered * counts.line_prediction
    none = counts.line_prediction + counts.line_truth == 0
    return ratio(product, total + ((total == 0) & ~np.asarray(none)))


def object_error(counts: Countable) -> Numbers:
    """Error of the number of objects: |predicted - true| / true; NaN where the truth has none."""
    true = counts.objects_truth
    return ratio(abs(counts.objects_prediction - true), np.where(true == 0, np.nan, true))


def betti0_error(counts: Countable) -> Numbers:
    """Difference of the numbers of objects."""
    return abs(counts.objects_prediction - counts.objects_truth)


def betti1_error(counts: Countable) -> Numbers:
    """Difference of the numbers of holes."""
    return abs(counts.holes_prediction - counts.holes_truth)


def object_f1(counts: Countable) -> Numbers:
    """F1 of objects matched above an IoU of 0.5: 2 matched / (predicted + true); NaN where there are none."""
    return ratio(2 * counts.matched_50, counts.instances_prediction + counts.instances_truth)


def object_f1_mean(counts: Countable) -> Numbers:
    """Mean of the F1 of objects at the IoU levels 0.5, 0.55, ..., 0.95 (COCO's levels)."""
    matched = sum(getattr(counts, matched_column(percent)) for percent in IOU_LEVELS)
    return ratio(2 * matched, len(IOU_LEVELS) * (counts.instances_prediction + counts.instances_truth))


def panoptic_quality(counts: Countable) -> Numbers:
    """Panoptic quality (Kirillov 2019, doi:10.1109/CVPR.2019.00963), of one class.

    The sum of the IoU of matched objects over matched + half of the unmatched ones, which is the mean IoU of the
    matched objects times their F1; NaN where there are no objects.
    """
    return ratio(2 * counts.iou_matched, counts.instances_prediction + counts.instances_truth)


def ratio(numerator: Numbers, denominator: Numbers) -> Numbers:
    """Divide; 0 / 0 is NaN."""
    with np.errstate(invalid="ignore"):
        return np.divide(numerator, denominator, dtype=np.float64)


def _worst_where_one_is_empty(distance: Numbers, counts: Countable) -> Numbers:
    one = (counts.surface_prediction == 0) != (counts.surface_truth == 0)
    return np.where(one, counts.diagonal, distance)


_EMPTY = "a mask is empty"
_ONE_KIND = "the truth has one kind of pixel only"
_NO_FOREGROUND = "the truth has no foreground"
_NO_OBJECTS = "neither mask has an object"
_SHARE = "(close outline of both) / (outline of both)"
_HARMONIC = "2 P S / (P + S), P and S the shares of the two centre lines inside the other mask"
_RANKED = (*DISTANCES, "surface_prediction", "surface_truth")

METRICS = {
    "dice": Metric(dice, "Dice", "higher", "2 TP / (2 TP + FP + FN)", "overlap; true background left out"),
    "iou": Metric(iou, "IoU", "higher", "TP / (TP + FP + FN)", "overlap; harsher than Dice on partial agreement"),
    "accuracy": Metric(accuracy, "Accuracy", "higher", "(TP + TN) / all", "share of the pixels that is right"),
    "sensitivity": Metric(sensitivity, "Sensitivity", "higher", "TP / (TP + FN)", "share of the object that is found"),
    "specificity": Metric(specificity, "Specificity", "higher", "TN / (TN + FP)", "share of the background left alone"),
    "precision": Metric(precision, "Precision", "higher", "TP / (TP + FP)", "share of the prediction that is right"),
    "pixel_error": Metric(pixel_error, "Pixel error", "lower", "(FP + FN) / all", "share of the pixels that is wrong"),
    "balanced_accuracy": Metric(
        *(balanced_accuracy, "Balanced accuracy", "higher", "(sensitivity + specificity) / 2"),
        *("both kinds of pixels, however rare", COUNTS, _ONE_KIND),
    ),
    "mcc": Metric(
        *(mcc, "MCC", "higher", "(TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN))"),
        *("correlation of the masks", COUNTS, "prediction or truth has one kind of pixel only"),
    ),
    "surface_dice": Metric(
        *(surface_dice, "Surface Dice", "higher", _SHARE),
        *("share of the outlines within the tolerance", SURFACE, "both masks are empty"),
    ),
    "hd95": Metric(
        *(attrgetter("hd95"), "HD95 (px)", "lower", "95th percentile of distances between outlines, the larger of two"),
        *("how far the worst parts of the outline are off", _RANKED, _EMPTY, "hd95_ranked"),
    ),
    "assd": Metric(
        *(attrgetter("assd"), "ASSD (px)", "lower", "mean distance between outlines, of both together"),
        *("how far the outline is off", _RANKED, _EMPTY, "assd_ranked"),
    ),
    "hd95_ranked": Metric(
        *(hd95_ranked, "HD95 (px, worst if one is empty)", "lower", "HD95, or the image's diagonal"),
        *("HD95 to rank by", _RANKED, "both masks are empty"),
    ),
    "assd_ranked": Metric(
        *(assd_ranked, "ASSD (px, worst if one is empty)", "lower", "ASSD, or the image's diagonal"),
        *("ASSD to rank by", _RANKED, "both masks are empty"),
    ),
    "cldice": Metric(
        *(cldice, "clDice", "higher", _HARMONIC),
        *("whether the branches of a tree are there", LINES, "both masks are empty"),
    ),
    "object_error": Metric(
        *(object_error, "Object error", "lower", "|objects predicted - true| / true"),
        *("whether things hold together, or apart", PIECES, _NO_FOREGROUND),
    ),
    "betti0_error": Metric(
        *(betti0_error, "Betti-0 error", "lower", "|objects predicted - true|", "the same, as a number", PIECES),
    ),
    "betti1_error": Metric(
        *(betti1_error, "Betti-1 error", "lower", "|holes predicted - true|", "loops closed or opened", PIECES),
    ),
    "object_f1": Metric(
        *(object_f1, "Object F1", "higher", "2 matched / (objects predicted + true), IoU above 0.5"),
        *("objects found, each once", INSTANCES, _NO_OBJECTS),
    ),
    "object_f1_mean": Metric(
        *(object_f1_mean, "Object F1 (0.5 to 0.95)", "higher", "mean object F1 at IoU 0.5, 0.55, ..., 0.95"),
        *("objects found, and how well outlined", INSTANCES, _NO_OBJECTS),
    ),
    "panoptic_quality": Metric(
        *(panoptic_quality, "Panoptic quality", "higher", "mean IoU of matched objects x object F1"),
        *("objects found times their overlap", INSTANCES, _NO_OBJECTS),
    ),
    "splits": Metric(
        *(attrgetter("splits"), "Split objects", "lower", "true objects with two or more predicted ones inside"),
        *("objects that fall apart", INSTANCES),
    ),
    "merges": Metric(
        *(attrgetter("merges"), "Merged objects", "lower", "predicted objects with two or more true ones inside"),
        *("objects that run together", INSTANCES),
    ),
    "roc_auc": Metric(
        *(attrgetter("roc_auc"), "ROC AUC", "higher", "P(a foreground pixel has more than one of the background)"),
        *("order of the probabilities", SCORES, _ONE_KIND),
    ),
    "average_precision": Metric(
        *(attrgetter("average_precision"), "Average precision", "higher", "sum of precision x gain in recall"),
        *("order of the probabilities, rare objects", SCORES, _NO_FOREGROUND),
    ),
    "brier": Metric(attrgetter("brier"), "Brier score", "lower", "mean (p - y)^2", "probabilities themselves", SCORES),
    "ece": Metric(
        *(attrgetter("ece"), "ECE", "lower", "sum over 15 bins of |sum p - sum y| / pixels"),
        *("bias of the probabilities", SCORES),
    ),
}


def measured(columns: Iterable[Hashable]) -> dict[str, Metric]:
    """Return the metrics that a table with these columns holds all of."""
    known = set(columns)
    return {name: metric for name, metric in METRICS.items() if known.issuperset(metric.columns)}
