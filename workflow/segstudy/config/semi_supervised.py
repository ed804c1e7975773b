"""What a recipe says of images without labels: what it starts from, who labels them, what is made of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from segstudy.config.base import LARGEST_SEED, Options

Level = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]


class Source(Options):
    """Another cell of the study. What is left out is that of the cell which names it."""

    recipe: str
    dataset: str | None = None
    model: str | None = None
    loss: str | None = Field(
        None, description="left out, the cell's own; for a denoising recipe the first loss defined that fits one"
    )
    seed: int | None = Field(None, ge=0, le=LARGEST_SEED)


class StartFrom(Source):
    """Weights to start from instead of chance: those of a finished cell."""

    take: Literal["all", "encoder"] = Field("all", description="every tensor that fits, or those on the way down alone")


class Transfer(Options):
    """How tensors learn that were not started from chance (an encoder's, or those of `start_from`)."""

    freeze: int = Field(0, ge=0, description="epochs in which they do not learn")
    rate: float = Field(1.0, gt=0, le=1, description="their learning rate over that of the others")


class Denoising(Options):
    """Learn to give back images to which noise was added: no labels are read, and no masks are predicted.

    Of each kind of noise [low, high] is the range that its level is drawn from, uniformly, for each image and epoch;
    of the kinds given one is drawn for each image. Intensities are 0..1.
    """

    gaussian: Level | None = Field((0.05, 0.2), description="standard deviation of what is added")
    salt_and_pepper: Level | None = Field((0.02, 0.1), description="share of the pixels set to 0 or 1, half each")
    speckle: Level | None = Field((0.05, 0.2), description="standard deviation of what is multiplied by, around 1")
    validation: float = Field(0.2, gt=0, lt=1, description="share of the images that choose the best epoch")

    @model_validator(mode="after")
    def _some_noise(self) -> Denoising:
        levels = {name: getattr(self, name) for name in ("gaussian", "salt_and_pepper", "speckle")}
        if not any(levels.values()):
            raise ValueError("denoising needs a kind of noise: gaussian, salt_and_pepper or speckle")
        for name, level in levels.items():
            if level and not level[0] <= level[1]:
                raise ValueError(f"{name} must be [low, high] with low <= high, found {list(level)}")
        return self


class Accept(Options):
    """Which of a teacher's masks are believed."""

    white: Literal["training"] | tuple[float, float] | None = Field(
        "training",
        description="share of foreground inside the field of view: [low, high]; 'training' computes it from the "
        "training masks; null takes any",
    )
    widen: float = Field(
        1.5,
        ge=0,
        le=100,
        description="white: training is [Q1 - widen IQR, Q3 + widen IQR] of the shares in the training masks "
        "(quartiles and their distance)",
    )
    confidence: float | None = Field(
        None, ge=0.5, le=1, description="least mean of max(p, 1 - p) inside the field of view; null does not ask"
    )

    @model_validator(mode="after")
    def _a_range(self) -> Accept:
        if isinstance(self.white, tuple) and not 0 <= self.white[0] < self.white[1] <= 1:
            raise ValueError(f"white must be [low, high] with 0 <= low < high <= 1, found {list(self.white)}")
        return self


class PseudoLabels(Options):
    """Train on the images of another data set too, labelled by a teacher."""

    teacher: Source
    unlabelled: str = Field(description="data set whose images without masks (or all, its masks withheld) are labelled")
    targets: Literal["hard", "soft"] = Field("hard", description="masks at threshold 0.5, or probabilities")
    accept: Accept = Accept()
    real: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of the labelled images' crops in an epoch: the epoch has as many crops as without "
        "pseudo-labels, the rest are pseudo-labelled; null takes every crop of both",
    )
    rounds: int = Field(
        1, ge=1, le=10, description="the student becomes the next one's teacher, until this many were trained"
    )


class Consistency(Options):
    """Mean teacher: a running mean of the weights must say the same of images without labels, seen another way.

    A. Tarvainen, H. Valpola, "Mean teachers are better role models", NeurIPS 2017. Their weight is for whole images,
    each with one answer; segmentation takes less (0.1 in L. Yu et al., "Uncertainty-aware self-ensembling model for
    semi-supervised 3D left atrium segmentation", MICCAI 2019): most pixels agree long before the few that matter do.
    """

    unlabelled: str = Field(description="data set whose images are seen without their masks")
    weight: float = Field(1.0, gt=0, le=1000, description="of the mean squared difference of the probabilities")
    ramp_up: int = Field(20, ge=0, description="epochs until the weight is reached, as exp(-5 (1 - t)^2)")
    decay: float = Field(0.99, gt=0, lt=1, description="of the running mean, for each step")
    batch_size: int | None = Field(None, ge=1, description="unlabelled images of a step; left out, the recipe's own")
