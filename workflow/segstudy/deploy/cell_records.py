"""The records of a trained cell, with the types that they must have: run.json, usage.json and thresholds.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, field_validator, model_validator

from segstudy.config.readers import READERS
from segstudy.core import files
from segstudy.core.checksums import damaged
from segstudy.data.images.reading import parsed
from segstudy.inference.out_of_distribution import CHANNELS

Share = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Byte = Annotated[int, Field(ge=0, le=255)]


class Record(BaseModel):
    """A record, or a part of one. One that another version has written may hold more than is read here."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class Trait(Record):
    """A measure of the training images."""

    mean: float
    sd: Annotated[float, Field(ge=0)] | None
    low: float
    high: float


class TrainingImages(Record):
    """How the training images look; see `inference.out_of_distribution.summary`."""

    images: Pixels
    long_side: Annotated[list[Pixels], Field(min_length=2, max_length=2)]
    traits: dict[str, Trait]


class Usage(Record):
    """usage.json; see `segstudy.inference.preprocessing`."""

    reader: str
    phantom: bool
    classes: Annotated[list[str], Field(min_length=2)]
    colours: list[Annotated[list[Byte], Field(min_length=3, max_length=3)]]
    colour: Literal["rgb", "grey", "green"]
    size: Literal["native"] | dict[str, Pixels | None]
    canvas: Annotated[list[Pixels], Field(min_length=2, max_length=2)]
    tile: Annotated[list[Pixels], Field(min_length=2, max_length=2)] | None
    overlap: Annotated[float, Field(ge=0, lt=1)] | None
    images_per_pass: Pixels
    headline: str
    field_of_view: bool
    subsets: dict[str, Count]
    training_images: TrainingImages
    reading: str = ""

    @field_validator("reading")
    @classmethod
    def _is_spelt(cls, value: str) -> str:
        parsed(value)
        return value

    @model_validator(mode="after")
    def _matching(self) -> Usage:
        if len(self.colours) != len(self.classes):
            raise ValueError(f"{len(self.colours)} colours for {len(self.classes)} classes")
        if missing := {"train", "val", "test"} - self.subsets.keys():
            raise ValueError(f"subsets lacks {', '.join(sorted(missing))}")
        if self.reader not in READERS:  # the module of this name is imported for the card
            raise ValueError(f"there is no reader '{self.reader}'")
        channels = CHANNELS[self.colour]
        traits = {f"{kind} {channel}" for kind in ("mean", "sd") for channel in channels} | {"sharpness"}
        traits |= {"colour"} if self.colour == "rgb" else set()
        if missing := traits - self.training_images.traits.keys():
            raise ValueError(f"training_images.traits lacks {', '.join(sorted(missing))}")
        if self.training_images.images > 1 and any(one.sd is None for one in self.training_images.traits.values()):
            raise ValueError("training_images.traits has no sd")
        return self


class Model(Record):
    """The model's part of the settings."""

    network: str


class Settings(Record):
    """The settings of a training."""

    model: Model
    loss: dict[str, Any]
    recipe: dict[str, Any]


class Seconds(Record):
    """How long a training took."""

    total: float


class Git(Record):
    """The state of the code."""

    commit: str | None


class Source(Record):
    """A cell that another one builds on."""

    cell: str


class Encoder(Record):
    """Weights that an encoder started from."""

    origin: str


class Run(Record):
    """run.json, as far as using a trained network and its card need it."""

    seed: int
    settings: Settings
    parameters: Count
    epochs: Count
    stopped: str
    device: str
    precision: str
    torch: str
    seconds: Seconds
    git: Git | None
    code: str
    command: str
    sources: dict[str, Source] = {}
    encoder: Encoder | None = None


class Thresholds(RootModel[dict[str, Share | None]]):
    """thresholds.json: the threshold of each policy; None where a pixel gets its most probable class."""

    model_config = ConfigDict(strict=True)


KINDS: Mapping[str, type[BaseModel]] = {"run.json": Run, "usage.json": Usage, "thresholds.json": Thresholds}


def read_record(path: Path) -> Any:
    """Return the content of a cell's record, checked; the name of the file says which record it is.

    Raises:
        StudyError: it is no JSON, or something is missing or of another type.
    """
    record = files.read_json(path)
    try:
        KINDS[path.name].model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the whole record"
        raise damaged(path, f"{key}: {first['msg'].removeprefix('Value error, ')}") from error
    return record
