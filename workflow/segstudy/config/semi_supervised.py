"""Keys of a recipe for transfer and for images without labels: pretraining, pseudo-labels, mean teacher."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from segstudy.config.base import LARGEST_SEED, Options

Level = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]


class Source(Options):
    """Another cell of the study. Keys left out have the value of the cell that names it."""

    recipe: str
    dataset: str | None = None
    model: str | None = None
    loss: str | None = Field(
        None, description="left out: the cell's own loss; for a denoising recipe the first defined loss that fits"
    )
    seed: int | None = Field(None, ge=0, le=LARGEST_SEED)


class StartFrom(Source):
    """Start from the weights of a finished cell instead of random ones."""

    take: Literal["all", "encoder"] = Field("all", description="load every tensor that fits, or the encoder only")


class Transfer(Options):
    """How pretrained tensors are trained (of an encoder, or loaded by `start_from`)."""

    freeze: int = Field(0, ge=0, description="epochs in which pretrained tensors stay frozen")
    rate: float = Field(1.0, gt=0, le=1, description="factor on their learning rate")


class Denoising(Options):
    """Learn to remove added noise from images: no labels are read, and no masks are predicted.

    One kind of noise is drawn for each image and epoch, and its level uniformly from [low, high]. Intensities are 0..1.
    """

    gaussian: Level | None = Field((0.05, 0.2), description="standard deviation of the added noise")
    salt_and_pepper: Level | None = Field((0.02, 0.1), description="share of the pixels set to 0 or 1, half each")
    speckle: Level | None = Field((0.05, 0.2), description="standard deviation of the factor, around 1")
    validation: float = Field(0.2, gt=0, lt=1, description="share of the images for choosing the best epoch")

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
    """Which pseudo-labels of the teacher are used."""

    white: Literal["training"] | tuple[float, float] | None = Field(
        "training",
        description="allowed share of foreground inside the field of view: [low, high]; 'training' computes the range "
        "from the training masks; null allows any",
    )
    widen: float = Field(
        1.5,
        ge=0,
        le=100,
        description="white: training is the range [Q1 - widen * IQR, Q3 + widen * IQR] of the foreground shares in the "
        "training masks",
    )
    confidence: float | None = Field(
        None, ge=0.5, le=1, description="smallest mean of max(p, 1 - p) inside the field of view; null: no limit"
    )

    @model_validator(mode="after")
    def _a_range(self) -> Accept:
        if isinstance(self.white, tuple) and not 0 <= self.white[0] < self.white[1] <= 1:
            raise ValueError(f"white must be [low, high] with 0 <= low < high <= 1, found {list(self.white)}")
        return self


class PseudoLabels(Options):
    """Also train on the images of another data set, labelled by a teacher network."""

    teacher: Source
    unlabelled: str = Field(description="data set whose images get pseudo-labels; its own masks are not used")
    targets: Literal["hard", "soft"] = Field("hard", description="masks at threshold 0.5, or probabilities")
    accept: Accept = Accept()
    real: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of the crops of an epoch that come from labelled images; the epoch has as many crops as "
        "without pseudo-labels. null: every crop of both",
    )
    rounds: int = Field(1, ge=1, le=10, description="number of students trained in turn, each the teacher of the next")


class Consistency(Options):
    """Mean teacher: an exponential moving average of the weights gives targets for differently augmented images.

    A. Tarvainen, H. Valpola, "Mean teachers are better role models", NeurIPS 2017. Their weight is for
    classification; segmentation needs less (0.1 in L. Yu et al., "Uncertainty-aware self-ensembling model for
    semi-supervised 3D left atrium segmentation", MICCAI 2019): most pixels agree long before the few that matter do.
    """

    unlabelled: str = Field(description="data set whose images are used without their masks")
    weight: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="weight of the consistency loss, the mean squared difference of the probabilities",
    )
    ramp_up: int = Field(20, ge=0, description="epochs until the full weight, which rises as exp(-5 (1 - t)^2)")
    decay: float = Field(0.99, gt=0, lt=1, description="decay of the moving average, per step")
    batch_size: int | None = Field(
        None, ge=1, description="unlabelled images per step; left out: the recipe's batch_size"
    )
