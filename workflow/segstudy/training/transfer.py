"""Load pretrained weights: which tensors of a file a network takes, which not, and why."""

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
from segstudy.models.pretrained import shape_words

logger = logging.getLogger("segstudy")
NAMED = 12  # tensors that a message or a line of the log names


class LoadedWeights(NamedTuple):
    """The tensors of a network that were loaded from files."""

    names: frozenset[str]  # of the tensors
    normalisation: dict[str, list[float]] | None  # scaling of the images that they were trained with
    facts: dict[str, Any]  # for run.json, by the role of the source: `encoder`, `start`
    files: dict[str, Path]  # that were read, by the same roles


def start_from(
    model: nn.Module, recipe: Recipe, encoder: Path | None, start: Path | None, channels: int, classes: Sequence[str]
) -> LoadedWeights:
    """Load the weights that the network's options and the recipe ask for, in place; return what was loaded.

    Weights of a cell are loaded last, over those of an encoder; the scaling of the images is theirs too.

    Args:
        model: to be trained.
        recipe: its `start_from`, `transfer` and `denoising`.
        encoder: weights learned on ImageNet, for a network whose options ask for them.
        start: model file of the cell that the recipe starts from.
        classes: names of the foreground classes.

    Raises:
        StudyError: a file is missing or does not fit.
    """
    loaded = LoadedWeights(frozenset(), None, {}, {})
    if getattr(model, "wants_pretrained", False):
        path = _given(encoder, "pretrained weights", "give the file that rule encoder makes, or set weights: none")
        encoder_weights = model.load_pretrained(path)  # type: ignore[operator]
        prefixes = tuple(model.encoder_tensors)  # type: ignore[arg-type]
        names = frozenset(name for name in model.state_dict() if name.startswith(prefixes))
        facts = {"encoder": encoder_weights.facts}
        loaded = LoadedWeights(names, encoder_weights.normalisation, facts, {"encoder": path})
    if recipe.start_from:
        path = _given(start, "weights of another cell", "give the model file of the cell that start_from names")
        outputs = output_classes(recipe.model_dump(), classes)
        cell = take_over(model, path, recipe.start_from.take, channels=channels, outputs=outputs)
        facts, sources = loaded.facts | cell.facts, loaded.files | cell.files
        loaded = LoadedWeights(loaded.names | cell.names, cell.normalisation, facts, sources)
    if not loaded.names and recipe.transfer != Transfer():
        logger.warning("the recipe's transfer changes nothing: this network starts from chance alone")
    return loaded


def _given(path: Path | None, what: str, remedy: str) -> Path:
    if path is None:
        raise StudyError(f"the network is to start from {what}, and no file of them was given", remedy=remedy)
    return path


def take_over(
    model: nn.Module,
    path: Path,
    take: Literal["all", "encoder"],
    *,
    channels: int,
    outputs: Sequence[str],
) -> LoadedWeights:
    """Load every tensor of a model file that has name and shape of one in the network; return what was loaded.

    Tensors of the head are loaded only from a network that predicts the same: equal shapes need not mean that.

    Args:
        model: changed in place; its attributes `encoder_tensors` and `head_tensors` are prefixes of names.
        path: model file, see `model_file.save_model`.
        take: every tensor that fits, or those of the encoder alone.
        channels: of the images that the network will see.
        outputs: what the network is to predict, see `output_classes`.

    Raises:
        StudyError: the file cannot be read, its images had other channels, no tensor fits, or the network does not
            name the tensors of its encoder.
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
    same = list(outputs) == output_classes(meta["settings"]["recipe"], meta["classes"])
    wanted, down = model.state_dict(), _way_down(model, meta, path) if take == "encoder" else ()
    heads = () if same else tuple(getattr(model, "head_tensors", ()))
    left = {name: why for name, tensor in wanted.items() if (why := _why_not(name, tensor, weights, down, heads))}
    loaded = {name: weights[name] for name in wanted if name not in left}
    left |= {name: "this network has no such tensor" for name in weights if name not in wanted}
    if not any(tensor.dim() > 1 for tensor in loaded.values()):  # a bias or a counter alone brings nothing
        raise StudyError(
            f"no weights of the cell to start from fit this network: {_listed(left)}",
            where=path,
            allowed="tensors of the same name and shape: networks of the same kind, depth and width",
            remedy="let the recipe's start_from name a cell of the same model",
        )
    model.load_state_dict({**wanted, **loaded})
    values = sum(tensor.numel() for tensor in loaded.values())
    logger.info("%d tensors, %.3f million values, are taken from %s (%s)", len(loaded), values / 1e6, path, take)
    logger.info("not taken: %s", _listed(left) if left else "nothing")
    facts = {"sha256": file_hash(path), "take": take, "tensors": len(loaded), "values": values}
    facts |= {"taken": list(loaded), "left": left}
    return LoadedWeights(frozenset(loaded), meta["normalisation"], {"start": facts}, {"start": Path(path)})


def output_classes(recipe: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    """Return what a cell predicts: the names of its classes, or the image if it removes noise."""
    return ["image without noise"] if recipe.get("denoising") else list(classes)


def _why_not(
    name: str, tensor: Tensor, weights: Mapping[str, Tensor], down: tuple[str, ...], heads: tuple[str, ...]
) -> str:
    """Return why a tensor of the network is not loaded; '' if it is."""
    if down and not name.startswith(down):
        return "not on the way down"
    if name.startswith(heads):
        return "head: the other network predicts something else"
    if name not in weights:
        return "absent there"
    saved = weights[name]
    return "" if saved.shape == tensor.shape else f"shape: {shape_words(saved)} there, {shape_words(tensor)} here"


def _way_down(model: nn.Module, meta: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    prefixes = tuple(getattr(model, "encoder_tensors", ()))
    if not prefixes:
        raise StudyError(
            f"this network ({type(model).__name__}) does not say which of its tensors lie on the way down",
            where=path,
            remedy="write 'take: all' in the recipe's start_from; a network of your own may have an attribute "
            "encoder_tensors: the beginnings of their names",
        )
    return prefixes


def _listed(left: Mapping[str, str]) -> str:
    """Return the names of tensors that were not loaded, grouped by the reason."""
    reasons: dict[str, list[str]] = {}
    for name, why in left.items():
        reasons.setdefault(why, []).append(name)
    return "; ".join(
        f"{why}: {', '.join(names[:NAMED])}" + f" and {len(names) - NAMED} more" * (len(names) > NAMED)
        for why, names in reasons.items()
    )
