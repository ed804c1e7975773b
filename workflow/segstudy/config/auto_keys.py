"""Keys that may say `auto`: a plan chooses their values for each data set (see `segstudy.study.planner`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, GetJsonSchemaHandler, ModelWrapValidatorHandler, PrivateAttr, model_validator
from pydantic.json_schema import JsonSchemaValue

from segstudy.config.base import Options

AUTO = "auto"
SHAPE = ("depth", "width")  # of a network
OF_RECIPE = ("crop", "crops_per_image", "batch_size", "epochs")


class Plannable(Options):
    """Options of which the keys in `PLANNED` may say `auto`.

    A key that does holds its default until the plan is there, and its name stands in `auto`: the types of options stay
    those of values, and whoever needs a value asks the study, which takes it from the plan.
    """

    PLANNED: ClassVar[tuple[str, ...]] = ()
    _auto: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def auto(self) -> frozenset[str]:
        """Keys whose values a plan chooses."""
        return self._auto

    @model_validator(mode="wrap")
    @classmethod
    def _leave_to_the_plan(cls, block: Any, handler: ModelWrapValidatorHandler[Plannable]) -> Plannable:
        marked = frozenset(key for key in cls.PLANNED if isinstance(block, Mapping) and block.get(key) == AUTO)
        if not marked:
            return handler(block)
        result = handler({key: value for key, value in block.items() if key not in marked})
        result._auto = marked
        return result

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler.resolve_ref_schema(handler(core_schema))
        for key in cls.PLANNED:
            if key in made.get("properties", {}):
                made["properties"][key] = _or_auto(made["properties"][key])
        return made


def _or_auto(value: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value that may be the word `auto` too."""
    about: dict[str, Any] = {key: value[key] for key in ("title", "description", "default") if key in value}
    rest = {key: part for key, part in value.items() if key not in about}
    return {"anyOf": [*rest.pop("anyOf", [rest] if rest else []), {"const": AUTO}], **about}


class PlanLimits(Options):
    """What plans are made for: `plan:` of a study; the word `auto` alone stands for `{all: true}`."""

    all: bool = Field(False, description="every key that may say auto and is not written is planned")
    memory_gb: float | None = Field(
        None, gt=0, le=4096, description="memory of a training; left out: that of this machine's GPU, or of its cores"
    )
    hours: float | None = Field(
        None, gt=0, le=10_000, description="time of a training; left out: at most an hour, and about 4,000 steps"
    )

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return {"all": True} if value == AUTO else value


def plans_all(limits: Any) -> bool:
    """Return whether a study's `plan:`, as written, asks for every key that is not written."""
    return limits == AUTO or (isinstance(limits, Mapping) and limits.get("all") is True)


def with_auto(entry: Any, keys: tuple[str, ...]) -> Any:
    """Return a block in which each of these keys that is not written says `auto`."""
    return {**dict.fromkeys(keys, AUTO), **entry} if isinstance(entry, Mapping) else entry
