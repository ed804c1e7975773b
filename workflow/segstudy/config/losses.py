"""Options of every loss, and the registry that maps a `loss:` key to its options and its function.

The functions are named by dotted path, not imported: reading a config must not import torch. Formulas and their sources
stand in `segstudy.losses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from segstudy.config.base import Options, added_key
from segstudy.core.errors import StudyError, nearest

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class BceOptions(Options):
    """Binary cross-entropy on logits."""


class BceProbabilityOptions(Options):
    """Binary cross-entropy on sigmoid outputs, clamped by `epsilon`."""

    epsilon: float = Field(1e-7, ge=1e-7, lt=0.1, description="smaller values vanish in 1 - epsilon in float32")


class WeightedBceOptions(Options):
    """Binary cross-entropy with a weight on the foreground term."""

    positive_weight: Literal["inverse_frequency"] | Positive = "inverse_frequency"


class FocalOptions(Options):
    """Focal loss; `form: positive` puts the focusing factor on the foreground term alone.

    `alpha` is 0.25 in the balanced form and none in the positive form, whose definition has no such weight.
    """

    gamma: float = Field(2.0, ge=0, le=10)
    alpha: float | None = Field(0.25, gt=0, lt=1, description="weight of the foreground term; null for none")
    form: Literal["balanced", "positive"] = "balanced"

    @model_validator(mode="before")
    @classmethod
    def _alpha_of_form(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("form") == "positive":
            return {"alpha": None, **values}
        return values


class DiceOptions(Options):
    """Soft Dice loss.

    `form: mean` is 1 - (mean(2py) + 1) / (mean(p + y) + 1), `sum` and `square` the usual two. That of pytorch-toolbelt
    and segmentation_models_pytorch is `sum` with `smooth: 0, batch: true, skip_empty: true`.
    """

    form: Literal["sum", "square", "mean"] = "sum"
    smooth: float = Field(1.0, ge=0)
    batch: bool = Field(False, description="one Dice over the whole batch instead of the mean over images")
    skip_empty: bool = added_key(
        False, description="an image (with batch: a batch) without the class costs 0 instead of up to 1"
    )


class TverskyOptions(Options):
    """Tversky loss: Dice with a weight on false pixels (`alpha`) and one on missed pixels (`beta`)."""

    alpha: Weight = Field(0.3, description="weight of false positives")
    beta: Weight = Field(0.7, description="weight of false negatives")
    smooth: float = Field(1.0, ge=0, allow_inf_nan=False)
    batch: bool = Field(False, description="one index over the whole batch instead of the mean over images")

    @model_validator(mode="after")
    def _some_weight(self) -> TverskyOptions:
        if not self.alpha + self.beta:
            raise ValueError("alpha and beta are both 0: no mistake would cost anything")
        return self


class FocalTverskyOptions(TverskyOptions):
    """Tversky loss to the power 1 / `gamma`: above 1, nearly correct images keep a large gradient."""

    gamma: float = Field(4 / 3, ge=0.1, le=3)


class SoftCldiceOptions(Options):
    """Dice of the centre lines of p and mask, mixed with Dice: (1 - alpha) * dice + alpha * clDice."""

    iterations: int = Field(
        3, ge=1, le=100, description="number of erosions; at least half the width of the thickest line"
    )
    alpha: float = Field(
        0.2, gt=0, le=1, description="share of clDice, the rest is Dice; training with a large share may fail"
    )
    smooth: float = Field(1.0, ge=0, allow_inf_nan=False)


class BoundaryOptions(Options):
    """Mean of p times the signed distance from the true outline; usually combined with dice."""

    normalise: bool = Field(False, description="distances relative to the image diagonal instead of in pixels")


class BceTvOptions(Options):
    """Binary cross-entropy plus `weight` times the total variation of the probabilities."""

    weight: Weight = 0.1


class TotalVariationOptions(Options):
    """Regulariser: total variation of the probabilities, as a term of a compound loss."""


class CenteredOptions(Options):
    """Regulariser: 1 - p at the image centre."""


class SparsityOptions(Options):
    """Regulariser: the mean of p."""


class SmoothL1Options(Options):
    """Smooth L1 distance between p and the mask."""

    beta: Positive = 1.0


class MseOptions(Options):
    """Squared distance between p and the mask."""


class CrossEntropyOptions(Options):
    """Softmax cross-entropy over classes."""

    class_weights: Literal["none", "inverse_frequency"] | list[Weight] = "none"

    @field_validator("class_weights")
    @classmethod
    def _some_weight(cls, value: str | list[float]) -> str | list[float]:
        if isinstance(value, list) and not any(value):
            raise ValueError(f"class_weights needs one weight a class, background first, not all 0; found {value}")
        return value


def _term(term: dict[str, Any]) -> dict[str, Any]:
    """Return one term of a compound with its defaults filled in, or say what is wrong with it."""
    options = dict(term)
    kind, weight = options.pop("loss", None), options.pop("weight", 1.0)
    kinds = [name for name in LOSSES if name not in ("compound", "bce_tv")]
    if kind is None:
        raise ValueError(f"a term needs 'loss: <kind>'. Kinds: {', '.join(kinds)}")
    if kind == "compound":
        raise ValueError("a compound cannot be a term of a compound: list its terms here, weights multiplied")
    if kind == "bce_tv":
        raise ValueError("bce_tv is a sum itself: write two terms, 'bce' and 'total_variation' with its weight")
    if kind not in LOSSES:
        raise ValueError(f"no loss is called '{kind}'. Kinds: {', '.join(kinds)}.{nearest(str(kind), kinds)}")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
        raise ValueError(f"the weight of term '{kind}' must be a number >= 0, found {weight!r}")
    try:
        resolved = LOSSES[kind][0].model_validate(options)
    except ValidationError as error:
        raise ValueError("; ".join(_explained(kind, problem) for problem in error.errors())) from None
    return {"loss": kind, "weight": float(weight), **resolved.model_dump(mode="json")}


def _explained(kind: str, problem: ErrorDetails) -> str:
    key = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        keys = ["loss", "weight", *LOSSES[kind][0].model_fields]
        return f"term '{kind}' has no key '{key}'. Keys: {', '.join(keys)}.{nearest(key, keys)}"
    return f"{key} of term '{kind}': {problem['msg'].removeprefix('Value error, ')}, found {problem['input']!r}"


class CompoundOptions(Options):
    """A weighted sum of other losses: `terms: [{loss: dice, weight: 1}, {loss: bce, weight: 0.5}]`.

    A term is a loss with its own options and a `weight` (1 where it is not given).
    """

    terms: list[Annotated[dict[str, Any], AfterValidator(_term)]] = Field(min_length=1)

    @field_validator("terms")
    @classmethod
    def _some_weight(cls, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not any(term["weight"] for term in value):
            raise ValueError("every term has weight 0: nothing would be learnt")
        return value


# One line a loss: key -> (options, function).
LOSSES: dict[str, tuple[type[Options], str]] = {
    "bce": (BceOptions, "segstudy.losses.pixelwise:bce"),
    "bce_probability": (BceProbabilityOptions, "segstudy.losses.pixelwise:bce_probability"),
    "weighted_bce": (WeightedBceOptions, "segstudy.losses.pixelwise:weighted_bce"),
    "focal": (FocalOptions, "segstudy.losses.pixelwise:focal"),
    "dice": (DiceOptions, "segstudy.losses.overlap:dice"),
    "tversky": (TverskyOptions, "segstudy.losses.overlap:tversky"),
    "focal_tversky": (FocalTverskyOptions, "segstudy.losses.overlap:focal_tversky"),
    "soft_cldice": (SoftCldiceOptions, "segstudy.losses.boundary:soft_cldice"),
    "boundary": (BoundaryOptions, "segstudy.losses.boundary:boundary"),
    "bce_tv": (BceTvOptions, "segstudy.losses.regularisers:bce_tv"),
    "total_variation": (TotalVariationOptions, "segstudy.losses.regularisers:total_variation"),
    "centered": (CenteredOptions, "segstudy.losses.regularisers:centered"),
    "sparsity": (SparsityOptions, "segstudy.losses.regularisers:sparsity"),
    "smooth_l1": (SmoothL1Options, "segstudy.losses.pixelwise:smooth_l1"),
    "mse": (MseOptions, "segstudy.losses.pixelwise:mse"),
    "cross_entropy": (CrossEntropyOptions, "segstudy.losses.pixelwise:cross_entropy"),
    "compound": (CompoundOptions, "segstudy.losses.build:weighted_sum"),
}


def loss_modules(settings: Mapping[str, Any]) -> list[str]:
    """Return the modules of the functions that a resolved `loss` block computes: one, or those of a compound's terms.

    A fingerprint of a training takes these, so that a changed formula retrains the cells that use it and no others.
    """
    terms = settings["terms"] if settings["loss"] == "compound" else [settings]
    return sorted({LOSSES[term["loss"]][1].partition(":")[0] for term in terms})


# Losses that take several foreground classes; a compound takes what all of its terms take.
SEVERAL_CLASSES = ("cross_entropy", "focal", "dice", "tversky", "focal_tversky", "soft_cldice", "boundary")


def check_classes(kind: str, options: Mapping[str, Any], several: bool, where: str = "", dataset: str = "") -> None:
    """Raise a StudyError if a loss does not fit a data set of one foreground class, or of `several`.

    Args:
        several: whether the data set has several foreground classes.
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
