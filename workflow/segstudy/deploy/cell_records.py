"""What a cell's own records must say before they are believed: run.json, usage.json and thresholds.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from segstudy.config.datasets import READERS
from segstudy.core import files
from segstudy.core.errors import StudyError
from segstudy.inference.out_of_distribution import CHANNELS

Share = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Byte = Annotated[int, Field(ge=0, le=255)]
# A record that another version has written may hold more than is read here.
READ = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class Trait(BaseModel):
    """A measure of the training images."""

    model_config = READ
    mean: float
    sd: Annotated[float, Field(ge=0)] | None
    low: float
    high: float


class TrainingImages(BaseModel):
    """How the training images look; see `likeness.summary`."""

    model_config = READ
    images: Pixels
    long_side: Annotated[list[Pixels], Field(min_length=2, max_length=2)]
    traits: dict[str, Trait]


class Usage(BaseModel):
    """usage.json; see `usage.usage_record`."""

    model_config = READ
    reader: str
    phantom: bool
    classes: Annotated[list[str], Field(min_length=2)]
    colours: list[Annotated[list[Byte], Field(min_length=3, max_length=3)]]
    colour: Literal["rgb", "grey", "green"]
    size: Literal["native"] | dict[str, Pixels | None]
    canvas: Annotated[list[Pixels], Field(min_length=2, max_length=2)]
    tile: Annotated[list[Pixels], Field(min_length=2, max_length=2)] | None
    overlap: Annotated[float, Field(ge=0, lt=1)]
    images_per_pass: Pixels
    headline: str
    field_of_view: bool
    subsets: dict[str, Count]
    training_images: TrainingImages

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


class Model(BaseModel):
    """The model's part of the settings."""

    model_config = READ
    network: str


class Settings(BaseModel):
    """The settings of a training, of which run.json tells."""

    model_config = READ
    model: Model
    loss: dict[str, Any]
    recipe: dict[str, Any]


class Seconds(BaseModel):
    """How long a training took."""

    model_config = READ
    total: float


class Git(BaseModel):
    """The state of the code."""

    model_config = READ
    commit: str | None


class Source(BaseModel):
    """A cell that another one builds on."""

    model_config = READ
    cell: str


class Encoder(BaseModel):
    """Weights that an encoder started from."""

    model_config = READ
    origin: str


class Run(BaseModel):
    """run.json, as far as a trained network's use and its card need it."""

    model_config = READ
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


def read_record(path: Path, remedy: str) -> Any:
    """Return the content of a cell's record, checked.

    Args:
        path: of the file, whose name tells which record it is.
        remedy: what makes it anew.

    Raises:
        StudyError: it is no JSON, or something is missing or of another type.
    """
    try:
        found = files.read_json(path)
        KINDS[path.name].model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the whole record"
        raise damaged(path, f"{key}: {first['msg'].removeprefix('Value error, ')}", remedy) from error
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8
        raise damaged(path, f"it is no JSON: {error}", remedy) from error
    return found


def damaged(path: Path, why: str, remedy: str) -> StudyError:
    """Return the error of a record that cannot be believed."""
    return StudyError(f"the cell's {path.name} is damaged ({why})", where=path, remedy=remedy)
