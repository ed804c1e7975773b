"""Options of evaluation: what is measured, and what the tables show."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from segstudy.config.base import Distinct, Options, added_key
from segstudy.config.corruptions import Corruptions
from segstudy.config.datasets import DatasetConfig
from segstudy.core.errors import StudyError

Control = Literal["all_background", "all_foreground", "majority", "random", "otsu", "frangi", "second_human"]
CONTROLS: tuple[Control, ...] = get_args(Control)
# How a threshold is chosen: beforehand, for the best Dice on validation or on training images, by Otsu's method.
Policy = Literal["fixed", "validation", "training", "otsu"]
FIXED = "fixed"
Measure = Literal["surface", "cldice", "objects", "scores", "instances"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

COUNTED = (
    *("dice", "iou", "accuracy", "sensitivity", "specificity", "precision", "pixel_error"),
    *("balanced_accuracy", "mcc"),
)
# Metrics that a readable table may show, each with the measure that it needs; empty: counts of pixels are enough.
NEEDS = dict.fromkeys(COUNTED, "") | {
    **dict.fromkeys(("surface_dice", "hd95", "assd", "hd95_ranked", "assd_ranked"), "surface"),
    "cldice": "cldice",
    **dict.fromkeys(("object_error", "betti0_error", "betti1_error"), "objects"),
    **dict.fromkeys(("object_f1", "object_f1_mean", "panoptic_quality", "splits", "merges"), "instances"),
    **dict.fromkeys(("roc_auc", "average_precision", "brier", "ece"), "scores"),
}


Threshold = Annotated[float, Field(gt=0, lt=1)]


class Evaluation(Options):
    """What is measured, and which threshold the tables show."""

    fixed_threshold: Threshold | list[Threshold] = Field(
        0.5,
        description="a number, or several: policy fixed is the first, the others are measured beside it as fixed_0.3",
    )
    policies: Annotated[list[Policy | Literal["oracle"]], Distinct] = Field(
        ["fixed", "validation"],
        min_length=1,
        description="how thresholds are chosen, for one foreground class; several classes need none. oracle: the best "
        "threshold on the test images themselves, which is an upper bound, not a result",
    )
    headline: Policy = Field("fixed", description="policy whose threshold tables and masks use")
    comparison: Literal[COUNTED] = Field(  # type: ignore[valid-type]
        "dice", description="metric of the paired comparisons and of the ranking, per test image"
    )
    tta: Literal["none", "flips"] = Field(
        "none",
        description="flips adds a row for each network: the mean of its probabilities over mirrored images",
    )
    ensemble: bool = Field(
        False,
        description="true adds a row for each network: the mean probabilities of all its seeds. Needs one foreground "
        "class and split.repeat: fixed_split",
    )
    keep_predictions: bool = Field(
        True,
        description="false deletes probabilities after their last use; they are predicted again if a changed measure "
        "needs them. They take most of a study's disk space; masks and histograms stay",
    )
    controls: Annotated[list[Control], Distinct] = Field(
        list(CONTROLS), description="rows without training; each fits one foreground class, several, or both"
    )
    measures: Annotated[list[Measure], Distinct] = Field(
        [measure for measure in MEASURES if measure != "instances"],
        description="measured beside pixel counts, for one foreground class: surface (distances between outlines), "
        "cldice (centre lines), objects (and holes), scores (ROC AUC, average precision, calibration), instances "
        "(objects matched one to one, for cells)",
    )
    measures_of_several: Annotated[list[Literal["surface", "cldice", "objects", "instances"]], Distinct] = Field(
        [], description="the same for several classes; every class costs as much time as a whole mask"
    )
    tolerance: float = Field(2, ge=0, description="pixels between outlines that the surface Dice tolerates")
    metrics: Annotated[list[str], Distinct] = Field(
        list(COUNTED[:7]),
        min_length=1,
        description=f"columns of the readable table for one foreground class (csv: all), from: {', '.join(NEEDS)}",
    )

    corruptions: Corruptions = added_key(
        Corruptions(), description="every cell is measured on its test images corrupted at these strengths too"
    )

    @field_validator("fixed_threshold", mode="before")
    @classmethod
    def _between(cls, value: Any) -> Any:
        """Return one number where there is one, else the list; what pydantic says of a union nobody understands."""
        values = value if isinstance(value, list) else [value]
        try:
            values = [float(item) for item in values]
        except (TypeError, ValueError):
            values = []
        if not values or not all(0 < item < 1 for item in values) or len({*values}) < len(values):
            allowed = "a number between 0 and 1, or a list of different ones"
            raise ValueError(f"a threshold is {allowed}, found {value!r}")
        return values if len(values) > 1 else values[0]

    @field_validator("headline", mode="before")
    @classmethod
    def _no_oracle(cls, value: Any) -> Any:
        if value == "oracle":
            raise ValueError("'oracle' is chosen on the test images: it can be an upper bound, never the headline")
        return value

    @property
    def fixed(self) -> dict[str, float]:
        """The thresholds that policy `fixed` stands for: `fixed` is the first one, `fixed_0.3` a further one."""
        first, *more = self.fixed_threshold if isinstance(self.fixed_threshold, list) else [self.fixed_threshold]
        return {FIXED: first} | {f"{FIXED}_{value!r}": value for value in more}

    @property
    def compared_policies(self) -> list[str]:
        """The policies whose masks are measured as results, in their order; the oracle is none."""
        names = [[*self.fixed] if policy == FIXED else [policy] for policy in self.policies if policy != "oracle"]
        return [name for part in names for name in part]

    @property
    def of_prediction(self) -> dict[str, Any]:
        """The options that a prediction depends on, as plain values."""
        kept = self.model_dump(mode="json", include={"fixed_threshold", "headline"})
        return kept | {"policies": [policy for policy in self.policies if policy != "oracle"]}

    @model_validator(mode="after")
    def _headline(self) -> Evaluation:
        if self.headline not in self.policies:
            raise ValueError(f"headline '{self.headline}' must be one of policies {self.policies}")
        if isinstance(self.fixed_threshold, list) and FIXED not in self.policies:
            raise ValueError(f"fixed_threshold lists values, and policies {self.policies} does not have '{FIXED}'")
        return self

    @model_validator(mode="after")
    def _metrics(self) -> Evaluation:
        for metric in self.metrics:
            if metric not in NEEDS:
                raise ValueError(f"metrics names '{metric}', which is none of {', '.join(NEEDS)}")
            if NEEDS[metric] and NEEDS[metric] not in self.measures:
                raise ValueError(f"metrics names '{metric}', which needs '{NEEDS[metric]}' among the measures")
        return self


def check_ensemble(dataset: str, options: DatasetConfig, where: str) -> None:
    """Stop where the networks of several seeds cannot be put together.

    Raises:
        StudyError: the seeds have different splits, so that one's test images are another's training images; or there
            are several classes, of which only the probability of each pixel's own is stored.
    """
    if options.split.repeat != "fixed_split":
        raise StudyError(
            f"evaluation.ensemble puts the networks of all seeds together, but those of {dataset} have different "
            "splits: one's test images are another's training images",
            where=where,
            allowed=f"datasets.{dataset}.split.repeat: fixed_split (it is {options.split.repeat})",
            remedy="give the data set one split for all seeds, or set evaluation.ensemble to false",
        )
    if options.several:
        raise StudyError(
            f"evaluation.ensemble is for one foreground class, and {dataset} has several",
            where=where,
            remedy="leave the data set out of the experiment, or set evaluation.ensemble to false",
        )
