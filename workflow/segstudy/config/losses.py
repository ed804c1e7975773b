"""Options of every loss, and the registry that maps a `loss:` key to them.

The formulas, with their sources, stand in `segstudy.losses`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from segstudy.config.base import Options


class BceOptions(Options):
    """Binary cross-entropy on logits."""


class BceProbabilityOptions(Options):
    """Binary cross-entropy on sigmoid outputs, clamped by `epsilon`."""

    epsilon: float = Field(1e-7, gt=0, lt=0.1)


class WeightedBceOptions(Options):
    """Binary cross-entropy with a weight on the foreground term."""

    positive_weight: Literal["inverse_frequency"] | float = Field("inverse_frequency")


class FocalOptions(Options):
    """Focal loss; `form: positive` puts the focusing factor on the foreground term alone."""

    gamma: float = Field(2.0, ge=0, le=10)
    alpha: float | None = Field(0.25, gt=0, lt=1, description="weight of the foreground term; null for none")
    form: Literal["balanced", "positive"] = "balanced"


class DiceOptions(Options):
    """Soft Dice loss; `form: mean` is 1 - (mean(2py) + 1)/(mean(p + y) + 1), `sum` and `square` the usual two."""

    form: Literal["sum", "square", "mean"] = "sum"
    smooth: float = Field(1.0, ge=0)
    batch: bool = Field(False, description="one Dice over the whole batch instead of the mean over images")


class BceTvOptions(Options):
    """Binary cross-entropy plus `weight` times the total variation of the probabilities."""

    weight: float = Field(0.1, ge=0)


class CenteredOptions(Options):
    """Regulariser: 1 - p at the image centre."""


class SparsityOptions(Options):
    """Regulariser: the mean of p."""


class SmoothL1Options(Options):
    """Smooth L1 distance between p and the mask."""

    beta: float = Field(1.0, gt=0)


class MseOptions(Options):
    """Squared distance between p and the mask."""


class CrossEntropyOptions(Options):
    """Softmax cross-entropy over classes."""

    class_weights: Literal["none", "inverse_frequency"] | list[float] = "none"


class CompoundOptions(Options):
    """A weighted sum of other losses: `terms: [{loss: dice, weight: 1}, {loss: bce, weight: 0.5}]`."""

    terms: list[dict[str, Any]] = Field(min_length=1)


# One line a loss: key -> options. The function of the same name stands in `segstudy.losses`.
LOSSES: dict[str, type[Options]] = {
    "bce": BceOptions,
    "bce_probability": BceProbabilityOptions,
    "weighted_bce": WeightedBceOptions,
    "focal": FocalOptions,
    "dice": DiceOptions,
    "bce_tv": BceTvOptions,
    "centered": CenteredOptions,
    "sparsity": SparsityOptions,
    "smooth_l1": SmoothL1Options,
    "mse": MseOptions,
    "cross_entropy": CrossEntropyOptions,
    "compound": CompoundOptions,
}
