"""Control rows: trivial rules, filters without learning, and a second human, measured like networks.

- `all_background`, `all_foreground`: the same answer everywhere.
- `majority`: the most frequent class of the training images' pixels (inside the roi), everywhere.
- `random`: every pixel has a class with the probability that the training images' pixels have it (inside the roi),
  which is scikit-learn's DummyClassifier with strategy 'stratified'.
- `otsu`: Otsu's threshold (1979, doi:10.1109/TSMC.1979.4310076) of each image's own values inside the roi,
  background outside it. Whether grey or green values are taken, and whether the dark or the bright side is the
  object, is what gives the best mean Dice on the training images.
- `frangi`: for vessels alone, Frangi's ridge filter (`segstudy.evaluation.frangi`); whether dark or bright ridges are
  taken, and how many of an image's pixels, is what gives the best mean Dice on the training images.
- `second_human`: the second annotation, where an image has one. What is void in it alone is its background.

With several classes there are `all_background`, `majority` and `random`; with one, all but `majority`, which is one of
the two constant answers; `frangi` where that one is called `vessel`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from segstudy.core.errors import StudyError, nearest
from segstudy.core.rng import numpy_generator
from segstudy.data.ground_truth import LabelledImages, Row, Truth, check_same_size, in_threads, truth_of
from segstudy.data.images.label_map import Labels, known_ids
from segstudy.data.images.read import read_image
from segstudy.data.images.reading import reading_of
from segstudy.evaluation.aggregate import confusion
from segstudy.evaluation.frangi import ridgeness
from segstudy.evaluation.measure import Shapes, counts_of
from segstudy.evaluation.metrics import COLUMNS, dice
from segstudy.evaluation.shape_metrics import PIXELS_ALONE, Measures
from segstudy.evaluation.thresholds import best_of, binarise, dice_curve, otsu

logger = logging.getLogger("segstudy")

Rule = tuple[str, str]  # channel and side that make an image's Otsu segmentation
SIDES = ("dark", "bright")
RULES: tuple[Rule, ...] = tuple(product(("grey", "green"), SIDES))
VESSEL = "vessel"  # the class for which a ridge filter is a fair rival


class Ridges(NamedTuple):
    """Which ridges are the object, and from which rank on (see `segstudy.evaluation.frangi.ridgeness`)."""

    side: str
    threshold: float


class Learned(NamedTuple):
    """What the controls take from the training images, and how masks are read."""

    labels: Labels
    shares: np.ndarray  # of each class among the pixels inside the roi, background first
    rule: Rule
    ridges: Ridges


class Control(NamedTuple):
    """A control: its prediction (bool, or class ids) with its threshold, and the data sets it is made for."""

    predict: Callable[[Row, Path, Truth, Learned, int], tuple[np.ndarray, float]]
    learns: bool = False  # from the training images
    binary: bool = True  # for data sets of one foreground class
    multiclass: bool = False  # for data sets of several
    centre_line: bool = True  # is measured by its centre line; that of a full frame says only how large the frame is
    vessels_only: bool = False


def measure_controls(
    images: LabelledImages,
    seed: int,
    names: Sequence[str],
    threads: int = 1,
    measures: Measures = PIXELS_ALONE,
    learn_from: LabelledImages | None = None,
) -> pd.DataFrame:
    """Return rows of counts.csv, with `control` in front, of every named control that the data set can have.

    `policy` is 'none' and `threshold` empty, except that `otsu` records each image's own threshold (grey or green
    value 0..255) and `frangi` its rank 0..1. `second_human` has rows for the images that have a second mask, and none
    where no image has.
    Controls that are not made for the data set's number of classes, or for its object, have no rows.

    Args:
        images: by the split of `seed`; only train, val and test images that have a mask are measured.
        seed: of `random`: the prediction of an image depends on it and on the sample's name alone.
        names: controls, in the order of the rows.
        threads: images measured at a time.
        learn_from: the images whose training images the controls learn from; None: these. Those of an external test
            set learn where the networks have.
        measures: what is measured beside counts of pixels; not `scores`, since masks have no probabilities.

    Raises:
        StudyError: on an unknown name, files of different sizes, or no training image to learn from.
    """
    rows, root, labels, learn_from = images.rows(), images.root, images.labels, learn_from or images
    for control in names:
        if control not in CONTROLS:
            raise StudyError(
                f"no control is called '{control}'.{nearest(control, CONTROLS)}", allowed=", ".join(CONTROLS)
            )
    names = [name for name in names if all(_fits(CONTROLS[name], item.labels) for item in (images, learn_from))]
    masks = measures._replace(names=tuple(name for name in measures.names if name != "scores"))
    without_lines = masks._replace(names=tuple(name for name in masks.names if name != "cldice"))
    learned = _learn(names, learn_from.rows(), learn_from.root, learn_from.labels, threads)._replace(labels=labels)

    def count(row: Row) -> list[dict[str, Any]]:
        truth = truth_of(row, root, labels)
        key = {"sample": row["sample"], "subset": row["subset"], "policy": "none"}
        lines: list[dict[str, Any]] = []
        shapes: Shapes = {}
        for control in names:
            if control == "second_human" and not row["second_mask"]:
                continue
            prediction, threshold = CONTROLS[control].predict(row, root, truth, learned, seed)
            measured = masks if CONTROLS[control].centre_line else without_lines
            row_key = key | {"control": control, "threshold": threshold}
            lines += counts_of(row_key, prediction, truth, labels, measured, shapes if measured is masks else None)
        return lines

    lines = [line for lines in in_threads(count, rows, threads, "controls of") for line in lines]
    lines.sort(key=lambda line: names.index(line["control"]))
    return pd.DataFrame(lines, columns=["control", *COLUMNS, *masks.columns])


def _fits(control: Control, labels: Labels) -> bool:
    if control.vessels_only and labels.foreground != (VESSEL,):
        return False
    return control.multiclass if labels.several else control.binary


def _learn(names: Sequence[str], rows: Sequence[Row], root: Path, labels: Labels, threads: int) -> Learned:
    """Return the values that the named controls learn from the training images; read only if one learns."""
    learners = [name for name in names if CONTROLS[name].learns]
    if not learners:
        return Learned(labels, np.full(len(labels.names), np.nan), RULES[0], Ridges(SIDES[0], 1.0))
    training = [row for row in rows if row["subset"] == "train"]
    if not training:
        raise StudyError(
            f"controls {', '.join(learners)} learn from training images, and the split has none with a mask",
            remedy="use another split, or leave these out of evaluation.controls",
        )

    def class_pixels(row: Row) -> tuple[np.ndarray, list[float]]:
        truth = truth_of(row, root, labels)
        pixels = np.bincount(truth.ids[truth.inside], minlength=len(labels.names))
        scores = [float("nan")] * len(RULES)
        if "otsu" in names and pixels[1]:  # without foreground every rule's Dice is 0 or not defined
            image = _image_of(row, root, truth)
            masks = [_otsu(image, truth, rule)[0] for rule in RULES]
            scores = [float(dice(confusion(mask, truth.mask, truth.inside))) for mask in masks]
        return pixels, scores

    pixels, scores = zip(*in_threads(class_pixels, training, threads, "controls learn from"), strict=True)
    rule = _best_rule(np.array(scores)) if "otsu" in names else RULES[0]
    total = np.sum(pixels, axis=0)
    ridges = _best_ridges(training, root, labels, threads) if "frangi" in names else Ridges(SIDES[0], 1.0)
    return Learned(labels, total / total.sum(), rule, ridges)


def _best_rule(scores: np.ndarray) -> Rule:
    """Return the rule with the best mean over images of Dice (images, rules); of several, the first."""
    defined = scores[~np.isnan(scores).any(axis=1)]
    if not len(defined):
        raise StudyError(
            "no training image has foreground: the control 'otsu' cannot tell the object from the background",
            remedy="use another split, or leave 'otsu' out of evaluation.controls",
        )
    means = defined.mean(axis=0)
    channel, side = RULES[int(means.argmax())]
    logger.info("control otsu: the %s side of the %s values, training Dice %.4f", side, channel, means.max())
    return channel, side


def _best_ridges(training: Sequence[Row], root: Path, labels: Labels, threads: int) -> Ridges:
    """Return side and rank with the best mean Dice over the training images."""

    def ridges_of(row: Row, side: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        truth = truth_of(row, root, labels)
        return ridgeness(_image_of(row, root, truth)[..., 1], truth.field, side), truth.mask, truth.inside

    curves = {
        side: dice_curve(in_threads(partial(ridges_of, side=side), training, threads, f"{side} ridges of"))
        for side in SIDES
    }
    side = max(SIDES, key=lambda name: curves[name].max())
    ridges = Ridges(side, best_of(curves[side]))
    logger.info("control frangi: %s ridges from rank %.4f on, training Dice %.4f", *ridges, curves[side].max())
    return ridges


def _all_background(row: Row, root: Path, truth: Truth, learned: Learned, seed: int) -> tuple[np.ndarray, float]:
    return np.zeros_like(truth.mask), float("nan")


def _all_foreground(row: Row, root: Path, truth: Truth, learned: Learned, seed: int) -> tuple[np.ndarray, float]:
    return np.ones_like(truth.mask), float("nan")


def _majority(row: Row, root: Path, truth: Truth, learned: Learned, seed: int) -> tuple[np.ndarray, float]:
    return np.full_like(truth.ids, learned.shares.argmax()), float("nan")


def _random(row: Row, root: Path, truth: Truth, learned: Learned, seed: int) -> tuple[np.ndarray, float]:
    uniform = numpy_generator(seed, f"random control of {row['sample']}").random(truth.ids.shape, dtype=np.float32)
    # The first stretch of 0..1 is that of class 1, and so on; what is left above the last one is background.
    places = np.searchsorted(learned.shares[1:].cumsum(), uniform, side="right") + 1
    return (places % len(learned.shares)).astype(np.uint8), float("nan")


def _best_otsu(row: Row, root: Path, truth: Truth, learned: Learned, seed: int) -> tuple[np.ndarray, float]:
    return _otsu(_image_of(row, root, truth), truth, learned.rule)


def _frangi(row: Row, root: Path, truth: Truth, learned: Learned, seed: int) -> tuple[np.ndarray, float]:
    ranks = ridgeness(_image_of(row, root, truth)[..., 1], truth.field, learned.ridges.side)
    return binarise(ranks, learned.ridges.threshold) & truth.field, learned.ridges.threshold


def _second_human(row: Row, root: Path, truth: Truth, learned: Learned, seed: int) -> tuple[np.ndarray, float]:
    path = root / row["second_mask"]
    second = known_ids(path, learned.labels) > 0
    check_same_size(second, truth.mask, path, root / row["mask"])
    return second, float("nan")


def _image_of(row: Row, root: Path, truth: Truth) -> np.ndarray:
    path = root / row["image"]
    image = read_image(path, reading_of(row))
    check_same_size(image, truth.mask, path, root / row["mask"])
    return image


def _otsu(image: np.ndarray, truth: Truth, rule: Rule) -> tuple[np.ndarray, float]:
    """Return an image's Otsu segmentation by `rule`, bool (H, W), and the threshold."""
    channel, side = rule
    values = image[..., 1] if channel == "green" else np.asarray(Image.fromarray(image).convert("L"))
    threshold = otsu(values[truth.inside if truth.inside.any() else truth.field])  # the latter is scored nowhere
    bright = binarise(values, threshold)
    return (bright if side == "bright" else ~bright) & truth.field, threshold


CONTROLS: dict[str, Control] = {
    "all_background": Control(_all_background, multiclass=True),
    "all_foreground": Control(_all_foreground, centre_line=False),
    "majority": Control(_majority, learns=True, binary=False, multiclass=True, centre_line=False),
    "random": Control(_random, learns=True, multiclass=True),
    "otsu": Control(_best_otsu, learns=True),
    "frangi": Control(_frangi, learns=True, vessels_only=True),
    "second_human": Control(_second_human),
}
