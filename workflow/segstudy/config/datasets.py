"""A data set of a study: its folder, and how it is read, resized and split."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from segstudy.config.auto_keys import Plannable
from segstudy.config.base import LARGEST_SEED, Distinct, Options, added_key
from segstudy.config.class_names import BACKGROUND
from segstudy.config.classes import Classes, Ignored, check_ignored, values_of
from segstudy.config.layout import Layout
from segstudy.config.readers import ANNOTATED, CONVERTED, DRAWN, READERS, SEVERAL_CLASSES, WITH_LAYOUT
from segstudy.core.pixel_limit import MAX_MEGAPIXELS

# Findings of the checks that a study may declare as known and accepted (see segstudy.data.checks).
EXCEPTION_KINDS = (
    "unreadable",
    "size_mismatch",
    "mask_not_binary",
    "mask_of_values",
    "no_class_values",
    "unknown_label",
    "orientation",
    "image_range",
    "roi_empty",
    "mask_constant",
    "mask_missing",
    "duplicate",
    "near_duplicate",
    "group_straddles",
    "no_foreground",
    "class_missing",
    "stratum_empty",
    "seen_by_source",
)

# Keys that are younger than results; see `DatasetConfig._as_before`.
YOUNGER = ("above_zero", "ignore", "range", "channels", "orientation", "scale", "plan")


class Size(Options):
    """Size of the canvas that images are fitted into, aspect ratio kept: height and width, or long_side."""

    height: int | None = Field(None, ge=16, le=16384)
    width: int | None = Field(None, ge=16, le=16384)
    long_side: int | None = Field(None, ge=16, le=16384)

    @model_validator(mode="after")
    def _one_way(self) -> Size:
        box = self.height is not None and self.width is not None
        if (self.height is None) != (self.width is None) or box == (self.long_side is not None):
            raise ValueError("size is 'native', {height: .., width: ..} or {long_side: ..}")
        return self


class Split(Options):
    """How labelled images are divided. Official test sets are kept where the data set has them."""

    repeat: Literal["new_split", "fixed_split", "kfold"] = Field(
        "new_split", description="what another seed changes: split and weights, weights only, or the fold"
    )
    validation: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="share of the images that are not test; 0: train on all of them and keep the last weights",
    )
    test: float = Field(0.2, gt=0, lt=1, description="share of all images, if there is no labelled official test set")
    folds: int = Field(5, ge=2, le=100, description="kfold only")
    stratify: bool = True
    grouped: bool = Field(
        True,
        description="keep groups (patients, slides) in one subset; false splits image by image, to measure the leakage",
    )
    official: bool = Field(True, description="use the official test set of the data set")
    fallback: Literal["carve", "error"] = Field(
        "carve", description="if the official test images have no labels: take a test set from the others, or stop"
    )

    @model_validator(mode="after")
    def _folds_validate(self) -> Split:
        if self.repeat == "kfold" and not self.validation:
            raise ValueError("kfold needs validation images: 'validation' above 0")
        return self


class Prediction(Options):
    """How a canvas is predicted: at once, or in tiles that overlap and are blended, or stand side by side."""

    tile: tuple[Annotated[int, Field(ge=16, le=16384)], Annotated[int, Field(ge=16, le=16384)]] | None = Field(
        None, description="[height, width] of the tiles, in pixels of the canvas; null: the whole canvas at once"
    )
    overlap: Annotated[float, Field(ge=0, le=0.9)] | None = Field(
        0.5, description="share of a tile that overlaps with its neighbour; null: side by side, without blending"
    )

    @model_validator(mode="after")
    def _overlap_of_tiles(self) -> Prediction:
        if self.tile is None and self.overlap != Prediction.model_fields["overlap"].default:
            raise ValueError("'overlap' is that of tiles, and there are none: set tile: [height, width]")
        return self


class DeclaredException(Options):
    """A finding of the data checks that is known and accepted, with a reason, which the report prints."""

    kind: Literal[EXCEPTION_KINDS]  # type: ignore[valid-type]
    samples: list[str] = Field(default=[], description="samples, groups or strata; empty: all")
    reason: str = Field(min_length=5)


class Phantom(Options):
    """Draw phantom images in the official layout instead of reading real data."""

    images: int = Field(40, ge=4, le=100_000)
    height: int = Field(192, ge=32, le=8192)
    width: int = Field(256, ge=32, le=8192)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)


class DatasetConfig(Plannable):
    """One entry of `datasets:`."""

    PLANNED = ("size",)

    reader: str = ""
    root: str = ""
    size: Size | Literal["native"] = "native"
    colour: Literal["rgb", "grey", "green"] = Field("rgb", description="channels of the network's input")
    split: Split = Split()
    max_megapixels: float = Field(
        MAX_MEGAPIXELS, gt=0, le=100_000, description="largest image or mask that is read; checked before it is decoded"
    )
    region: Literal["roi", "full"] = Field(
        "roi", description="region that the tables count in, if the data set has a field of view (roi)"
    )
    exceptions: list[DeclaredException] = Field(
        [], description="findings of the data checks that are known and accepted"
    )
    training: dict[str, Any] = Field({}, description="recipe keys that replace those of every recipe on this data set")
    prediction: Prediction = Field(Prediction(), description="whole canvas, or tiles")
    classes: Classes = Field(
        {},
        description="class name: its value, values or colour ('#ff0000') in the masks. Needed if the reader does not "
        "know them, or to merge classes; 'background' lists the values of the background, by default 0 or black",
    )
    ignore: Ignored = Field(
        None,
        description="value, values or colour ('#e0e0c0') in the masks whose pixels count for nothing: no loss, no "
        "metric (void). By default what the reader knows; [] for none",
    )
    inverted: bool = Field(False, description="binary masks with dark foreground")
    above_zero: bool = Field(
        False,
        description="binary masks in which 0 (or black) is background and every other value is object: numbered "
        "objects, palettes; lossless files only",
    )
    range: tuple[float, float] | None = Field(
        None,
        description="[low, high]: stored values that become black and white, of images of more than 8 bits a channel; "
        "by default one range that holds the values of all images",
    )
    channels: Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Distinct] = Field(
        [],
        description="which channels of an image are red, green and blue, or the one that is grey, counted from 1; "
        "needed for files of other channels than grey or RGB",
    )
    orientation: Literal["apply", "ignore"] | None = Field(
        None,
        description="the orientation that files note (EXIF, TIFF): 'apply' turns every image and mask upright as its "
        "own note says, 'ignore' takes all pixels as stored; by default as stored, if that fits",
    )
    scale: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="pixels that one length has in the raw images, the same length in all data sets: a millimetre, or "
        "a degree of view. External images (`tested_on`) are resized by it, so that objects have the "
        "size that the network knows. On both data sets or on neither: then images are taken as `segstudy predict` "
        "takes new ones, of a native size pixel for pixel",
    )
    external_images: Literal["all", "test"] = added_key(
        "all",
        description="as an external test set (`tested_on`): all its images that have a mask, or the test images of its "
        "own split alone, as networks are measured on that were trained on it",
    )
    layout: Layout = Field(Layout(), description="own data: which folders and files to read")
    truth: Literal["first", "majority", "union", "intersection", "staple"] = added_key(
        "first",
        description="which mask is learned and measured, where several annotators have drawn: the first's, or one that "
        "is made of all: more than half of them, any, all, or STAPLE (needs SimpleITK)",
    )
    phantom: Phantom | None = None
    plan: str | None = Field(
        None,
        min_length=1,
        description="a plan file that is kept with the study: what it says is not planned again. See planning.md",
    )

    @model_validator(mode="after")
    def _inverted_is_binary(self) -> DatasetConfig:
        if self.inverted and self.classes:
            raise ValueError("'inverted' is for masks without 'classes': there, say which values are background")
        return self

    @model_validator(mode="after")
    def _ignored_is_no_class(self) -> DatasetConfig:
        try:
            check_ignored(values_of(self.ignore), self.classes)
        except ValueError as error:
            raise ValueError(f"ignore: {error}") from None
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out younger keys where they are not used: results made before them stay what they are."""
        values: dict[str, Any] = plain(self)
        return {
            name: value
            for name, value in values.items()
            if name not in YOUNGER or value != type(self).model_fields[name].default
        }

    @field_validator("range")
    @classmethod
    def _range_rises(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value and not value[0] < value[1]:
            raise ValueError(f"the range [{value[0]:g}, {value[1]:g}] does not rise: the first value becomes black")
        return value

    @field_validator("channels")
    @classmethod
    def _grey_or_rgb(cls, value: list[int]) -> list[int]:
        if len(value) not in (0, 1, 3):
            raise ValueError(f"{len(value)} channels are named: three (red, green, blue), or one (grey)")
        return value

    @model_validator(mode="after")
    def _above_zero_is_binary(self) -> DatasetConfig:
        for key in ("classes", "inverted"):
            if self.above_zero and getattr(self, key):
                raise ValueError(f"'above_zero' and '{key}' both say which values are object: keep one of them")
        return self

    @model_validator(mode="after")
    def _truth_of_annotators(self) -> DatasetConfig:
        if self.truth != "first" and self.reader not in ANNOTATED:
            raise ValueError(
                f"truth: {self.truth} joins the masks of several annotators, and the reader '{self.reader}' knows of "
                f"one; readers of several: {', '.join(ANNOTATED)}"
            )
        if self.truth in ("union", "staple") and self.several:
            raise ValueError(
                f"truth: {self.truth} is for one foreground class: of several, two could claim a pixel; with several: "
                "first, majority, intersection"
            )
        if self.truth == "staple" and find_spec("SimpleITK") is None:
            raise ValueError(
                "truth: staple needs SimpleITK, which is not installed: pip install 'segstudy[staple]'; first, "
                "majority, union and intersection need nothing more"
            )
        return self

    @property
    def converted(self) -> bool:
        """Whether rule `convert` comes before the index: masks are drawn, completed or joined."""
        return self.reader in CONVERTED or self.truth != "first"

    @property
    def several(self) -> bool:
        """Whether there is more than one foreground class."""
        return len(set(self.classes) - {BACKGROUND}) > 1 if self.classes else self.reader in SEVERAL_CLASSES

    @field_validator("reader")
    @classmethod
    def _known_reader(cls, value: str) -> str:
        from segstudy.core.errors import nearest

        if value not in READERS:
            raise ValueError(f"no reader '{value}'; readers: {', '.join(READERS)}.{nearest(value, READERS)}")
        return value

    @model_validator(mode="after")
    def _layout_of_folder(self) -> DatasetConfig:
        if self.layout != Layout(table=self.layout.table) and self.reader not in WITH_LAYOUT:
            raise ValueError(
                f"layout is for the reader 'folder' and those of annotation files; the reader '{self.reader}' knows "
                "its files, and takes layout.table alone"
            )
        return self

    @model_validator(mode="after")
    def _can_be_drawn(self) -> DatasetConfig:
        if self.phantom and self.reader not in DRAWN:
            raise ValueError(f"no phantom can be drawn for the reader '{self.reader}', only for {', '.join(DRAWN)}")
        return self
