"""Check a file of weights before it is used: its values, its description, the network that it names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segstudy.config.library_networks import is_library
from segstudy.config.library_paths import HOMES, of_libraries, refusal
from segstudy.core.errors import StudyError

AGAIN = "train the cell again, or take the file from where it came"
NAMED = 3  # tensors that a message names
SHOWN = 200  # characters of the arguments that a message shows


def check_finite(tensors: Mapping[str, Tensor], path: Path, remedy: str = AGAIN) -> None:
    """Raise if a tensor holds a NaN or an infinity: predictions would be wrong without any warning.

    Raises:
        StudyError: naming the tensors.
    """
    bad = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if bad:
        more = f" and {len(bad) - NAMED} more" * (len(bad) > NAMED)
        raise StudyError(
            f"the weights are no numbers: NaN or infinite values in {', '.join(bad[:NAMED])}{more}",
            where=path,
            allowed="finite numbers in every tensor",
            remedy=remedy,
        )


def described(text: str, path: Path) -> dict[str, Any]:
    """Return the description that a model file carries, as `model_file.save_model` wrote it.

    Args:
        text: JSON.

    Raises:
        StudyError: it is no JSON, or lacks what building and feeding the network takes.
    """
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError):
        meta = None
    if why := _problem(meta):
        raise StudyError(f"the model file's description is damaged: {why}", where=path, remedy=AGAIN)
    found: dict[str, Any] = meta
    return found


def check_told(meta: Mapping[str, Any], path: Path, *keys: str) -> None:
    """Raise if a description lacks one of `keys`, which not every use of a model file needs, or its recipe.

    Raises:
        StudyError: naming the first.
    """
    kinds = {"classes": str, "canvas": int}
    told = {"settings.recipe": isinstance(meta["settings"].get("recipe"), dict)}
    for key in keys:
        value, kind = meta.get(key), kinds.get(key)
        told[key] = (
            isinstance(value, list) and all(type(item) is kind for item in value) if kind else type(value) is int
        )
    if missing := next((key for key, whole in told.items() if not whole), ""):
        raise StudyError(
            f"the model file's description is damaged: '{missing}' is missing or of another type",
            where=path,
            remedy=AGAIN,
        )


def check_network(meta: Mapping[str, Any], path: Path, named: str = "", trust: bool = False) -> None:
    """Raise if a model file would import code that the user has not approved. Nothing is imported here.

    Networks of the project and of the libraries that it names are built without asking. Any other module is imported
    only if the study itself names it, or if a person says so.

    Args:
        meta: from `described`.
        named: the network that the study names, where a study asks.
        trust: whether a person vouches for the file.

    Raises:
        StudyError: saying what would be imported and called; or the path can be no network's.
    """
    settings = meta["settings"]["model"]
    kind = settings["network"]
    if not is_library(kind):
        return
    if why := refusal(kind):
        raise StudyError(
            f"the model file names something else than a network, and nothing of it was run: {why}",
            where=path,
            allowed=f"networks of segstudy, of {', '.join(HOMES)}, or of a module of one's own",
            remedy="do not use the file, unless you know who made it and why it says so; " + AGAIN,
        )
    if of_libraries(kind) or trust or kind == named:
        return
    module, _, name = kind.partition(":")
    called = json.dumps(settings.get("arguments", {}))
    called = called[:SHOWN] + "..." * (len(called) > SHOWN)
    raise StudyError(
        f"the model file asks for other code than that of segstudy: the Python module {module} would be imported, and "
        f"{name} of it called with the arguments {called}. Nothing was imported",
        where=path,
        allowed=f"without asking: networks of segstudy and of {', '.join(HOMES)}",
        remedy="if the module is yours, or you trust whoever made module and file: add --trust to the command "
        "(segstudy predict, segstudy export)",
    )


def _problem(meta: Any) -> str:
    if not isinstance(meta, dict):
        return "it is no JSON mapping"
    settings = meta.get("settings")
    model = settings.get("model") if isinstance(settings, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get("network"), str):
        return "it does not say which network"
    for key in ("in_channels", "outputs"):
        if type(meta.get(key)) is not int or meta[key] < 1:
            return f"'{key}' is no number of channels"
    scaling = meta.get("normalisation")
    for key in ("mean", "std"):
        values = scaling.get(key) if isinstance(scaling, dict) else None
        if not isinstance(values, list) or len(values) not in (1, meta["in_channels"]):
            return f"'normalisation' has no '{key}' for each of {meta['in_channels']} channels"
        if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
            return f"'normalisation' has a '{key}' that is no number"
        if key == "std" and min(values) <= 0:
            return "'normalisation' has a 'std' that is not above 0"
    return ""
