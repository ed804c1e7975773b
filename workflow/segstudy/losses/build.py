"""Build the loss of a training: the function that the config names, with its options and class weights.

`build_loss` turns the `loss` block of a resolved config into `loss(logits, target, roi) -> scalar tensor`. The function
is looked up by its path in `segstudy.config.losses`, not imported here: the code fingerprint of a cell then holds the
module of its own loss alone.

Shapes: logits (B, K, H, W), K = 1 for binary data sets and the number of classes with background otherwise;
target (B, H, W) class ids; roi (B, H, W), 1 where pixels count.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from segstudy.config.losses import LOSSES, check_classes
from segstudy.config.validation_errors import validated
from segstudy.core.errors import StudyError, nearest
from segstudy.losses.class_weights import ClassStatistics, class_statistics, class_weights, positive_weight

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
REGULARISERS = ("centered", "sparsity", "total_variation")

logger = logging.getLogger("segstudy")


def build_loss(settings: Mapping[str, Any], statistics: ClassStatistics) -> Loss:
    """Return `loss(logits, target, roi) -> scalar` for a block such as {"loss": "focal", "gamma": 2.0}.

    Computed in float32 (float64 for float64 logits) whatever autocast is on: exp, log and sums over a million
    pixels lose too much in bfloat16. Nothing in it waits for the device.

    Raises:
        StudyError: unknown loss or option; a loss that does not fit the number of classes; weights that cannot
            be computed. When called: logits with another number of channels than the classes ask for.
        ValueError: when called with shapes that do not fit each other.
    """
    kind, options = _parsed(settings)
    check_classes(kind, options, several=len(statistics.pixels) > 2)
    _check_weights(kind, options, len(statistics.pixels))
    if kind in REGULARISERS:
        logger.warning("loss '%s' is a regulariser that never looks at the masks: use it in a compound", kind)
    compute = _function(kind, options, statistics)
    channels = 1 if len(statistics.pixels) == 2 else len(statistics.pixels)

    def loss(logits: Tensor, target: Tensor, roi: Tensor) -> Tensor:
        _check_shapes(kind, logits, target, roi, channels)
        with torch.autocast(logits.device.type, enabled=False):
            z = logits if logits.dtype == torch.float64 else logits.float()
            return compute(z, target, roi.to(z.dtype))

    return loss


def weights_used(settings: Mapping[str, Any], statistics: ClassStatistics) -> dict[str, Any]:
    """Return the numbers behind the class weights of a loss, for run.json; empty for a loss that has none.

    {"positive_weight": w} for weighted_bce, {"class_weights": [...]} for weighted cross_entropy,
    {"terms": [...]} with one such entry per term for compound.
    """
    kind, options = _parsed(settings)
    if kind == "weighted_bce":
        return {"positive_weight": positive_weight(options["positive_weight"], statistics)}
    if kind == "cross_entropy" and options["class_weights"] != "none":
        return {"class_weights": list(class_weights(options["class_weights"], statistics) or ())}
    if kind == "compound":
        terms = [weights_used(_without_weight(term), statistics) for term in options["terms"]]
        return {"terms": terms} if any(terms) else {}
    return {}


def _function(kind: str, options: dict[str, Any], statistics: ClassStatistics) -> Loss:
    """Return the function of a loss, its options bound and its class weights turned into numbers."""
    if kind == "compound":
        terms = [(term["weight"], _function(*_parsed(_without_weight(term)), statistics)) for term in options["terms"]]
        options = {"terms": terms}
    if kind == "weighted_bce":
        options = {"positive_weight": positive_weight(options["positive_weight"], statistics)}
    if kind == "cross_entropy":
        options = {"class_weights": class_weights(options["class_weights"], statistics)}
    module, _, name = LOSSES[kind][1].partition(":")
    return functools.partial(getattr(importlib.import_module(module), name), **options)


def weighted_sum(logits: Tensor, target: Tensor, roi: Tensor, *, terms: Sequence[tuple[float, Loss]]) -> Tensor:
    """Return the sum of weight * loss over the terms of a compound."""
    total = logits.new_zeros(())
    for weight, loss in terms:
        total = total + weight * loss(logits, target, roi)
    return total


def _without_weight(term: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in term.items() if key != "weight"}


def _parsed(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the kind and the options, defaults filled in."""
    options = dict(settings)
    kind = str(options.pop("loss", ""))
    if kind not in LOSSES:
        raise StudyError(f"no loss is called '{kind}'.{nearest(kind, LOSSES)}", allowed=", ".join(LOSSES))
    return kind, validated(LOSSES[kind][0], options, ("losses", kind), ()).model_dump(mode="json")


def _check_weights(kind: str, options: Mapping[str, Any], classes: int) -> None:
    """Raise a StudyError if class weights are given by hand, and not one for each class."""
    if kind == "compound":
        for term in options["terms"]:
            _check_weights(term["loss"], term, classes)
    elif kind == "cross_entropy":
        weights = options["class_weights"]
        if not isinstance(weights, str) and len(weights) != classes:
            raise StudyError(
                f"cross_entropy has {len(weights)} class_weights for {classes} classes (background included)",
                remedy="give one weight a class, background first, or inverse_frequency",
            )


def _check_shapes(kind: str, logits: Tensor, target: Tensor, roi: Tensor, channels: int) -> None:
    if logits.ndim == 4 and logits.shape[1] != channels:
        raise StudyError(
            f"loss '{kind}' was given logits of {logits.shape[1]} channels, its data set asks for {channels}",
            allowed="1 channel for one foreground class (bce, ...), else one a class, background included",
            remedy="give the network that many outputs; several classes need cross_entropy, dice, ...",
        )
    shape = (logits.shape[0], *logits.shape[2:])
    if logits.ndim != 4 or target.shape != shape or roi.shape != shape:
        raise ValueError(
            "logits (B, K, H, W), target and roi (B, H, W) do not fit: "
            f"{tuple(logits.shape)}, {tuple(target.shape)}, {tuple(roi.shape)}"
        )


__all__ = ["ClassStatistics", "Loss", "build_loss", "class_statistics", "weights_used"]
