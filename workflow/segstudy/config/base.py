"""What all config models share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Options(BaseModel):
    """A block of config: unknown keys are errors, values are immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"'{value}' is used in file names: letters, digits, '.', '_' and '-' only")
    return value


Name = Annotated[str, AfterValidator(_check_name)]
