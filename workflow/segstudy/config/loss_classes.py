"""Which losses fit a data set of one foreground class, and which one of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segstudy.errors import StudyError

# Losses that take several foreground classes; a compound takes what all of its terms take.
SEVERAL_CLASSES = ("cross_entropy", "focal", "dice", "tversky", "focal_tversky", "soft_cldice", "boundary")


def check_classes(kind: str, options: Mapping[str, Any], several: bool, where: str = "", dataset: str = "") -> None:
    """Raise a StudyError if a loss does not fit a data set of one foreground class, or of `several`.

    Args:
        kind: of the loss.
        options: of the loss.
        several: whether the data set has several foreground classes.
        where: the place in the config, for the message.
        dataset: its name, for the message.
    """
    whose = f"data set {dataset}" if dataset else "the data set"
    if kind == "compound":
        for term in options["terms"]:
            check_classes(term["loss"], term, several, where, dataset)
    elif kind == "cross_entropy" and not several:
        raise StudyError(
            f"cross_entropy is a softmax over several classes, but {whose} has one foreground class",
            where=where,
            allowed="bce, weighted_bce, focal, dice, ...",
            remedy="use bce: for two classes it is the same loss",
        )
    elif several and (kind not in SEVERAL_CLASSES or options.get("form") == "positive"):
        name = f"loss '{kind}', form positive," if kind == "focal" else f"loss '{kind}'"
        raise StudyError(
            f"{name} is for one foreground class, but {whose} has several",
            where=where,
            allowed=f"{', '.join(SEVERAL_CLASSES)}, or a compound of them",
            remedy="use cross_entropy (class_weights: inverse_frequency for what weighted_bce does)",
        )
