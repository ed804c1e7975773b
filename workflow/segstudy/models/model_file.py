"""The model file: weights of a network and what is needed to build it again (safetensors)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segstudy.core import checksums
from segstudy.core.errors import StudyError
from segstudy.core.files import atomic_path
from segstudy.models.model_checks import AGAIN, check_finite, check_network, described


def save_model(path: Path, weights: nn.Module | Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write a network's weights and buffers as safetensors, atomically; same weights and `meta`, same bytes.

    `meta` holds plain values and stands as sorted JSON under the one metadata key `segstudy`.
    """
    from safetensors.torch import save

    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    tensors = {
        name: (tensor.detach().float() if tensor.is_floating_point() else tensor.detach()).cpu().contiguous()
        for name, tensor in state.items()
    }
    content = save(tensors, metadata={"segstudy": json.dumps(meta, sort_keys=True)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    checksums.seal(path)


def read_model(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a model file by their names, and the metadata of `save_model`.

    Raises:
        StudyError: the file is absent, damaged, or not a segstudy model; its description lacks something, or a weight
            is not finite.
    """
    from safetensors import SafetensorError, safe_open

    try:
        checksums.content(path)
        with safe_open(str(path), framework="pt") as content:
            text = (content.metadata() or {}).get("segstudy")
            weights = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError:
        raise StudyError("there is no model file", where=path, remedy="train the cell first") from None
    except (SafetensorError, OSError) as error:
        raise StudyError(f"the model file cannot be read ({error})", where=path, remedy=AGAIN) from error
    if text is None:
        raise StudyError("the file is not a model of segstudy: it does not say which network", where=path)
    meta = described(text, path)
    check_finite(weights, path)
    return weights, meta


def load_model(
    path: Path, device: torch.device | str = "cpu", *, named: str = "", trust: bool = False
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network of a model file, on `device` and in evaluation mode, and the metadata of `save_model`.

    The network takes images in 0..1 from which `meta["normalisation"]` was taken: (x - mean) / std per channel.

    Args:
        named: the `network:` that the study names for this cell: its own word, besides the file's.
        trust: import whatever module the file names for its network; see `model_checks.check_network`.

    Raises:
        StudyError: as `read_model`; the network is not trusted, or the weights do not fit it.
    """
    from segstudy.models import registry

    weights, meta = read_model(path)
    check_network(meta, path, named, trust)
    try:
        network = registry.build(meta["settings"]["model"], meta["in_channels"], meta["outputs"])
    except (KeyError, TypeError) as error:
        raise checksums.damaged(path, f"what it says of its network lacks or garbles {error}") from None
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise StudyError(
            f"the weights do not fit the network ({str(error).splitlines()[-1].strip()})",
            where=path,
            remedy=AGAIN,
        ) from error
    return network.to(device).eval(), meta
