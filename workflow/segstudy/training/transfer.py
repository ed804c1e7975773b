"""Weights taken over from another cell: which tensors were taken, which were not, and why."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from segstudy.config.recipes import Recipe
from segstudy.config.semi_supervised import Transfer
from segstudy.core.errors import StudyError
from segstudy.core.provenance import file_hash
from segstudy.models import model_file
from segstudy.models.model_checks import check_told

logger = logging.getLogger("segstudy")
NAMED = 12  # tensors that a message or a line of the log names


class Taken(NamedTuple):
    """What a network was given instead of weights by chance."""

    names: frozenset[str]  # of its tensors
    normalisation: dict[str, list[float]] | None  # how images were scaled when they were learned
    facts: dict[str, Any]  # for run.json, by the role of the source: `encoder`, `start`
    files: dict[str, Path]  # that were read, by the same


def start_from(
    network: nn.Module, recipe: Recipe, encoder: Path | None, start: Path | None, channels: int, classes: Sequence[str]
) -> Taken:
    """Give a network, in place, the weights that its options and its recipe ask for; return what was taken.

    Weights of a cell come last, over those of an encoder, and with them the scaling of the images.

    Args:
        network: to be trained.
        recipe: its `start_from` and what it predicts.
        encoder: weights learned on ImageNet, for a network whose options ask for them.
        start: model file of the cell that the recipe starts from.
        channels: of the images.
        classes: names of the foreground classes.

    Raises:
        StudyError: there is no file, or it does not fit.
    """
    found = Taken(frozenset(), None, {}, {})
    if getattr(network, "wants_pretrained", False):
        path = _given(encoder, "pretrained weights", "give the file that rule encoder makes, or set weights: none")
        loaded = network.load_pretrained(path)  # type: ignore[operator]
        prefixes = tuple(network.encoder_tensors)  # type: ignore[arg-type]
        names = frozenset(name for name in network.state_dict() if name.startswith(prefixes))
        found = Taken(names, loaded.normalisation, {"encoder": loaded.facts}, {"encoder": path})
    if recipe.start_from:
        path = _given(start, "weights of another cell", "give the model file of the cell that start_from names")
        purpose = purpose_of(recipe.model_dump(), classes)
        own = take_over(network, path, recipe.start_from.take, channels=channels, purpose=purpose)
        found = Taken(found.names | own.names, own.normalisation, found.facts | own.facts, found.files | own.files)
    if not found.names and recipe.transfer != Transfer():
        logger.warning("the recipe's transfer changes nothing: this network starts from chance alone")
    return found


def _given(path: Path | None, what: str, remedy: str) -> Path:
    if path is None:
        raise StudyError(f"the network is to start from {what}, and no file of them was given", remedy=remedy)
    return path


def take_over(
    network: nn.Module,
    path: Path,
    take: Literal["all", "encoder"],
    *,
    channels: int,
    purpose: Sequence[str],
) -> Taken:
    """Give a network, in place, every tensor of a model file that has its name and shape; return what was taken.

    Tensors of the head are taken only from a network that predicts the same: equal shapes are no equal meaning.

    Args:
        network: its methods or attributes `encoder_tensors` and `head_tensors`, prefixes of names, tell its parts.
        path: model file, see `checkpoint.save_model`.
        take: every tensor that fits, or those on the way down alone.
        channels: of the images that the network will see.
        purpose: what it is to predict, see `purpose_of`.

    Raises:
        StudyError: the file cannot be read, it learned from images of other channels, no tensor fits, or the network
            does not say which tensors lie on its way down.
    """
    weights, meta = model_file.read_model(path)
    check_told(meta, path, "classes")
    if meta["in_channels"] != channels:
        raise StudyError(
            f"the weights to start from were learned on images of {meta['in_channels']} channels, and the images here "
            f"have {channels}",
            where=path,
            remedy="give both data sets the same 'colour', or start from another cell",
        )
    same = list(purpose) == purpose_of(meta["settings"]["recipe"], meta["classes"])
    wanted, down = network.state_dict(), _way_down(network, meta, path) if take == "encoder" else ()
    heads = () if same else tuple(getattr(network, "head_tensors", ()))
    left = {name: why for name, tensor in wanted.items() if (why := _why_not(name, tensor, weights, down, heads))}
    taken = {name: weights[name] for name in wanted if name not in left}
    left |= {name: "this network has no such tensor" for name in weights if name not in wanted}
    if not any(tensor.dim() > 1 for tensor in taken.values()):  # a bias or a counter alone brings nothing
        raise StudyError(
            f"no weights of the cell to start from fit this network: {_listed(left)}",
            where=path,
            allowed="tensors of the same name and shape: networks of the same kind, depth and width",
            remedy="let the recipe's start_from name a cell of the same model",
        )
    network.load_state_dict({**wanted, **taken})
    values = sum(tensor.numel() for tensor in taken.values())
    logger.info("%d tensors, %.3f million values, are taken from %s (%s)", len(taken), values / 1e6, path, take)
    logger.info("not taken: %s", _listed(left) if left else "nothing")
    facts = {"sha256": file_hash(path), "take": take, "tensors": len(taken), "values": values}
    facts |= {"taken": list(taken), "left": left}
    return Taken(frozenset(taken), meta["normalisation"], {"start": facts}, {"start": Path(path)})


def purpose_of(recipe: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    """Return what a cell predicts: the names of its classes; of one that removes noise, the image."""
    return ["image without noise"] if recipe.get("denoising") else list(classes)


def _why_not(
    name: str, tensor: Tensor, weights: Mapping[str, Tensor], down: tuple[str, ...], heads: tuple[str, ...]
) -> str:
    """Return why a tensor of the network is not taken; '' if it is."""
    if down and not name.startswith(down):
        return "not on the way down"
    if name.startswith(heads):
        return "head: the other network predicts something else"
    if name not in weights:
        return "absent there"
    found = weights[name]
    return "" if found.shape == tensor.shape else f"shape: {_shape(found)} there, {_shape(tensor)} here"


def _way_down(network: nn.Module, meta: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    prefixes = tuple(getattr(network, "encoder_tensors", ()))
    if not prefixes:
        raise StudyError(
            f"this network ({type(network).__name__}) does not say which of its tensors lie on the way down",
            where=path,
            remedy="write 'take: all' in the recipe's start_from; a network of your own may have an attribute "
            "encoder_tensors: the beginnings of their names",
        )
    return prefixes


def _listed(left: Mapping[str, str]) -> str:
    """Return the tensors that were not taken, put together by the reason."""
    reasons: dict[str, list[str]] = {}
    for name, why in left.items():
        reasons.setdefault(why, []).append(name)
    return "; ".join(
        f"{why}: {', '.join(names[:NAMED])}" + f" and {len(names) - NAMED} more" * (len(names) > NAMED)
        for why, names in reasons.items()
    )


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one value"
