"""Load ImageNet weights of an encoder from files of several origins, checked.

Nothing is unpickled: a file is safetensors, or a state dict that `torch.load(weights_only=True)` can read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segstudy.core.errors import StudyError, first_line
from segstudy.models.model_checks import check_finite
from segstudy.runtime.memory import exhausted

# Mean and spread of the red, green and blue of ImageNet, intensities in 0..1: how images were scaled when the ResNets
# and VGGs of torchvision, timm and segmentation_models_pytorch were trained (torchvision.models, "Models and
# pre-trained weights").
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
# The classifier of ImageNet's thousand classes, under its names in torchvision and timm: no part of an encoder.
CLASSIFIERS = ("fc.", "classifier.", "pre_logits.", "head.")
# Counts the batches that a batch normalisation has seen; older files lack it, and nothing here reads it.
COUNTER = "num_batches_tracked"
COLOURS = 3
FETCH = "fetch the file again from where it came"


class Pretrained(NamedTuple):
    """How to scale images for loaded weights, and their entry in run.json."""

    normalisation: dict[str, list[float]]
    facts: dict[str, Any]


class Weights(NamedTuple):
    """An encoder's tensors for colour images, and what the file says of them."""

    tensors: dict[str, Tensor]
    mean: list[float]
    std: list[float]
    origin: str
    left_out: list[str]


def read_weights(path: Path, encoder: str, wanted: Mapping[str, Tensor]) -> Weights:
    """Return the weights of `encoder` from a file, every tensor of `wanted` (a state dict) by name and shape.

    A file that does not say how images were scaled is taken for one of the usual weights, with ImageNet's statistics.

    Raises:
        StudyError: the file is absent, damaged or of another network: no tensor is left as it was, and none of the
            file's is dropped but those of the classifier.
    """
    state, notes = read_state(path)
    said = _said(notes, path)
    if said.get("encoder", encoder) != encoder:
        raise _foreign(path, encoder, f"it says that it belongs to {said['encoder']}")
    body = {name: tensor for name, tensor in state.items() if not name.startswith(CLASSIFIERS)}
    if problems := list(_misfits(body, wanted)):
        shown = "; ".join(problems[:3]) + f"; and {len(problems) - 3} more" * (len(problems) > 3)
        raise _foreign(path, encoder, f"{len(problems)} of {len(wanted)} tensors do not fit: {shown}")
    tensors = {name: body.get(name, tensor) for name, tensor in wanted.items()}
    scaling = {key: [float(value) for value in said.get(key, IMAGENET[key])] for key in IMAGENET}
    return Weights(tensors, **scaling, origin=said.get("origin", path.name), left_out=sorted(set(state) - set(body)))


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a safetensors file or of a saved state dict, and the notes of the former.

    Raises:
        StudyError: the file is absent, damaged, or holds anything but tensors of finite numbers.
    """
    from safetensors import SafetensorError, safe_open

    notes: dict[str, str] = {}
    try:
        if path.suffix == ".safetensors":
            with safe_open(str(path), framework="pt") as content:
                notes = content.metadata() or {}
                state = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 (no mapping)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
                state = state["state_dict"]
    except FileNotFoundError:
        raise StudyError("there is no such file of weights", where=path) from None
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, first_line(error)) from error
    except Exception as error:  # whatever a damaged or hostile file makes torch say: its advice is to run the file
        if exhausted(error):
            raise
        what = "it is damaged, or holds more than named tensors: objects whose reading could run code are not read"
        raise _unreadable(path, what) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise StudyError(
            "the file holds something else than named tensors", where=path, allowed="a state dict: names and tensors"
        )
    if not all(isinstance(name, str) for name in state):
        raise StudyError("the tensors of the file have no names", where=path, allowed="a state dict: names and tensors")
    check_finite(state, path, FETCH)
    return dict(state), notes


def adapted(weight: Tensor, channels: int) -> Tensor:
    """Return the first convolution's weights (N, 3, h, w) for images of `channels` channels, (N, channels, h, w).

    As segmentation_models_pytorch does it: for one channel the three are added up, which is what a grey image gave
    them; for another number they are repeated in turn and scaled by 3 / channels.
    """
    if channels == COLOURS:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True)
    return torch.stack([weight[:, i % COLOURS] for i in range(channels)], 1) * (COLOURS / channels)


def adapted_scaling(weights: Weights, channels: int) -> dict[str, list[float]]:
    """Return `mean` and `std` for each of `channels` channels: for one, the mean of the three; else in turn."""
    if channels == 1:
        return {"mean": [sum(weights.mean) / COLOURS], "std": [sum(weights.std) / COLOURS]}
    return {
        "mean": [weights.mean[i % COLOURS] for i in range(channels)],
        "std": [weights.std[i % COLOURS] for i in range(channels)],
    }


def _said(notes: Mapping[str, str], path: Path) -> dict[str, Any]:
    """Return what a file says of itself: encoder, origin, and three numbers each of `mean` and `std`.

    Raises:
        StudyError: it says something else.
    """
    try:
        said = json.loads(notes.get("segstudy", "{}"))
        texts = [said.get(key, "") for key in ("encoder", "origin")]
        numbers = [float(value) for key in IMAGENET for value in said.get(key, IMAGENET[key])]
        whole = len(numbers) == 2 * COLOURS and all(map(math.isfinite, numbers)) and min(numbers[COLOURS:]) > 0
    except (ValueError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole or not all(isinstance(text, str) for text in texts):
        raise _unreadable(path, "its description is damaged")
    found: dict[str, Any] = said
    return found


def _unreadable(path: Path, why: str) -> StudyError:
    return StudyError(
        f"the weights cannot be read ({why})",
        where=path,
        allowed="safetensors, or a state dict of tensors as torch.save writes it",
        remedy=FETCH,
    )


def _misfits(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[str]:
    for name, tensor in wanted.items():
        if name not in state:
            if not name.endswith(COUNTER):
                yield f"{name} is missing"
        elif state[name].shape != tensor.shape:
            yield f"{name} is {shape_words(state[name])}, not {shape_words(tensor)}"
    yield from (f"{name} is unknown" for name in state if name not in wanted)


def shape_words(tensor: Tensor) -> str:
    """Return the shape of a tensor for a message."""
    return "x".join(map(str, tensor.shape)) or "one value"


def _foreign(path: Path, encoder: str, why: str) -> StudyError:
    return StudyError(
        f"these are not the weights of encoder {encoder}: {why}",
        where=path,
        allowed=f"a state dict of {encoder} from torchvision, timm or segmentation_models_pytorch",
        remedy="remove the file, and let the workflow fetch it or put the right one in its place",
    )
