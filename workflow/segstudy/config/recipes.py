"""A recipe: how a network is trained; everything but data, network and loss."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from segstudy.config.auto_keys import OF_RECIPE, Plannable
from segstudy.config.base import Options, added_key
from segstudy.config.semi_supervised import Consistency, Denoising, PseudoLabels, StartFrom, Transfer

Range = tuple[float, float]


class Schedule(Options):
    """Learning rate over the epochs."""

    kind: Literal["constant", "multistep", "cosine", "one_cycle", "polynomial"] = "constant"
    milestones: list[int] = Field(default=[], description="multistep: epochs after which the learning rate falls")
    gamma: float = Field(0.1, gt=0, le=1, description="multistep: factor at each milestone")
    warmup: float = Field(0.3, gt=0, lt=1, description="one_cycle: share of the steps in which the learning rate rises")
    power: float = Field(0.9, gt=0, description="polynomial: exponent")

    @model_validator(mode="after")
    def _milestones(self) -> Schedule:
        if self.kind == "multistep" and not self.milestones:
            raise ValueError("schedule 'multistep' needs milestones, for instance [20, 40, 60]")
        if self.milestones != sorted(set(self.milestones)) or any(m < 1 for m in self.milestones):
            raise ValueError(f"milestones must rise and be at least 1, found {self.milestones}")
        return self


class Augmentation(Options):
    """Random changes of the training images; geometry moves image, mask and roi alike."""

    flip_horizontal: float = Field(0.0, ge=0, le=1, description="probability")
    flip_vertical: float = Field(0.0, ge=0, le=1, description="probability")
    transpose: float = added_key(
        0.0,
        ge=0,
        le=1,
        description="probability of exchanging rows and columns, for square crops or images; with both flips at 0.5: "
        "quarter turns and mirror images, all eight equally likely, none of them interpolated",
    )
    rotation: float = Field(0.0, ge=0, le=180, description="uniform in +- this many degrees")
    shift: float = Field(0.0, ge=0, le=0.5, description="uniform in +- this share of the image side")
    scale: Range = Field((1.0, 1.0), description="uniform factor")
    shear: float = Field(0.0, ge=0, le=45, description="uniform in +- this many degrees")
    brightness: Range = Field((1.0, 1.0), description="uniform factor on the intensities")
    contrast: Range = Field((1.0, 1.0), description="uniform factor around the image's mean")
    saturation: Range = Field((1.0, 1.0), description="uniform factor around the grey value (colour images)")
    gamma: Range = added_key(
        (1.0, 1.0), description="uniform exponent of the intensities, image in 0..1: below 1 brightens the dark parts"
    )
    blur: float = Field(0.0, ge=0, le=1, description="probability of a 3x3 Gaussian blur")
    noise: float = Field(0.0, ge=0, le=1, description="standard deviation of Gaussian noise, image in 0..1")

    @model_validator(mode="after")
    def _ranges(self) -> Augmentation:
        for name in ("scale", "brightness", "contrast", "saturation", "gamma"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= 4:
                raise ValueError(f"{name} must be [low, high] with 0 < low <= high <= 4, found [{low}, {high}]")
        return self


class CurveStopping(Options):
    """Stop when the slope of a constrained quadratic through the last losses stays flat (see docs)."""

    window: int = Field(10, ge=4)
    threshold: float = Field(0.001, gt=0, description="slope at the last epoch over the loss scale")
    epochs: int = Field(5, ge=1, description="stop when flat for more than this many epochs")
    after: int = Field(10, ge=0, description="never stop before this epoch")


class EarlyStopping(Options):
    """Two criteria, each optional; the first that is met ends the training."""

    patience: int | None = Field(None, ge=1, description="stop after this many epochs without a better validation loss")
    curve: CurveStopping | None = None


class Balance(Options):
    """Even out the strata of the training images by augmented copies, made once before the training."""

    by: Literal["strata"] = "strata"
    augment: Literal["added_only"] = Field(
        "added_only", description="the augmentation makes the copies; the images of the data set stay as they are"
    )


class Recipe(Plannable):
    """How a network is trained."""

    PLANNED = OF_RECIPE

    epochs: int = Field(100, ge=1, le=100_000)
    batch_size: int = Field(8, ge=1, le=4096)
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(0.001, gt=0, le=10)
    weight_decay: float = Field(0.0, ge=0, le=1)
    momentum: float = Field(0.9, ge=0, lt=1, description="sgd only")
    schedule: Schedule = Schedule()
    crop: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] | None = Field(
        None, description="[height, width] of random training crops; null: whole images"
    )
    crops_per_image: int = Field(1, ge=1, le=1000, description="crops per image and epoch")
    crops_per_epoch: int | None = Field(
        None, ge=1, le=1_000_000, description="crops per epoch from all images together, instead of crops_per_image"
    )
    augmentation: Augmentation = Augmentation()
    balance: Literal["none", "strata"] | Balance = Field(
        "none",
        description="strata: repeat training images of small strata until all strata are equally frequent, and augment "
        "all; {by: strata, augment: added_only} adds augmented copies of them, and leaves the others as they are",
    )
    validate_every: int = Field(1, ge=1, description="validate every so many epochs")
    validation_crops: int | None = added_key(
        None,
        ge=1,
        le=1_000_000,
        description="validate on so many random crops of the size of crop, the same each epoch; null: on whole images",
    )
    keep: Literal["best", "last"] = added_key(
        "best", description="weights of the epoch with the lowest validation loss, or those of the last epoch"
    )
    ema: float | None = added_key(
        None,
        gt=0,
        lt=1,
        description="validate and publish a moving average of the weights: each step keeps this share of it",
    )
    early_stopping: EarlyStopping = EarlyStopping()
    accumulate: int = Field(
        1, ge=1, le=4096, description="split each batch into this many parts to save memory (gradient accumulation)"
    )
    on_oom: Literal["fail", "halve"] = Field(
        "fail", description="out of memory: stop, or repeat the step with twice as many parts and keep that number"
    )
    gradient_clip: float | None = Field(None, gt=0, description="largest norm of the gradient")
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: bool = Field(
        False, description="compile the network's training pass (torch.compile); needs a C++ compiler"
    )
    deterministic: bool = True
    labels: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the training images whose labels are used; a smaller share is a subset of a larger one",
    )
    start_from: StartFrom | None = None
    transfer: Transfer = Transfer()
    denoising: Denoising | None = Field(None, description="learn to remove noise, as pretraining for other recipes")
    pseudo_labels: PseudoLabels | None = None
    consistency: Consistency | None = Field(None, description="mean teacher on images without labels")

    @model_validator(mode="after")
    def _one_count_of_crops(self) -> Recipe:
        if self.crops_per_epoch and (self.crops_per_image > 1 or self.balance != "none"):
            raise ValueError(
                f"crops_per_epoch ({self.crops_per_epoch}) is the number of crops of an epoch in all, so it excludes "
                f"crops_per_image and balance; set crops_per_image: 1 (now {self.crops_per_image}) and balance: none"
            )
        return self

    @model_validator(mode="after")
    def _transposed_crops_are_square(self) -> Recipe:
        if self.augmentation.transpose and self.crop and self.crop[0] != self.crop[1]:
            raise ValueError(f"augmentation: transpose is for square crops, found crop {list(self.crop)}")
        return self

    @model_validator(mode="after")
    def _copies_are_changed(self) -> Recipe:
        if self.adds_copies and self.augmentation == Augmentation():
            raise ValueError(
                "balance adds augmented copies, and the augmentation changes nothing: name the changes, for instance "
                "augmentation: {flip_horizontal: 0.5, rotation: 30}"
            )
        if self.adds_copies and (self.pseudo_labels or self.consistency):
            raise ValueError(
                "balance: {augment: added_only} is for labelled images alone: with pseudo_labels or consistency set "
                "balance: strata"
            )
        return self

    @property
    def in_training(self) -> Recipe:
        """The recipe as the training loop follows it: added copies were augmented before."""
        return self.model_copy(update={"augmentation": Augmentation()}) if self.adds_copies else self

    @property
    def adds_copies(self) -> bool:
        """Whether augmented copies are added to the training images, which are not augmented themselves."""
        return isinstance(self.balance, Balance)

    @model_validator(mode="after")
    def _validation_crops_have_a_size(self) -> Recipe:
        if self.validation_crops and not self.crop:
            raise ValueError("validation_crops are of the size of the training's crops: set crop: [height, width]")
        return self

    @model_validator(mode="after")
    def _denoising_alone(self) -> Recipe:
        if self.denoising and (self.pseudo_labels or self.consistency or self.labels < 1 or self.balance != "none"):
            raise ValueError("a denoising recipe reads no labels: pseudo_labels, consistency, labels and balance go")
        if self.pseudo_labels and self.consistency:
            raise ValueError("pseudo_labels and consistency are two ways to use the same images: choose one")
        if self.ema and self.consistency:
            raise ValueError("consistency publishes a moving average of the weights already (its decay): ema goes")
        return self
