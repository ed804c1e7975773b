"""What all config models share."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LONGEST_NAME = 100  # characters; file systems take 255 bytes, and files are called by a name and more


class Options(BaseModel):
    """A block of config: unknown keys are errors, values are immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"'{value}' is used in file names: letters, digits, '.', '_' and '-' only")
    if len(value) > LONGEST_NAME:
        raise ValueError(
            f"'{value[:40]}...' is used in file names: {LONGEST_NAME} characters at most, it has {len(value)}"
        )
    return value


def _check_below(value: str) -> str:
    if value.startswith("/") or ".." in PurePosixPath(value).parts or any(ord(sign) < 32 for sign in value):
        raise ValueError(
            f"{value!r} does not lie below the root: changes outside it are never noticed; move or link it there, "
            "or set the root to the folder above both"
        )
    return value


Name = Annotated[str, AfterValidator(_check_name)]
Below = Annotated[str, AfterValidator(_check_below)]  # a path relative to the root of a data set
