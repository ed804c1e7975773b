"""Networks: one file each, found through the registry `segstudy.config.networks.REGISTERED`.

Importing it does not import torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segstudy.config.base import Options
from segstudy.config.networks import REGISTERED, block, entry
from segstudy.config.validation_errors import validated
from segstudy.core.errors import StudyError, nearest

if TYPE_CHECKING:
    from torch import nn


def build(settings: Mapping[str, Any], in_channels: int, outputs: int) -> nn.Module:
    """Return a freshly initialised network, its weights drawn from torch's global generator.

    `settings` is the resolved block of a model, `{"network": "unet", "depth": 4, ...}`; options left out take
    their defaults. The network maps images (B, in_channels, H, W) to logits (B, outputs, H, W) for any H, W >= 1.

    Raises:
        StudyError: if no network has that name, or an option is unknown or out of range.
    """
    kind, options = resolve(settings)
    module, _, name = _known(kind)[1].partition(":")
    network: nn.Module = getattr(importlib.import_module(module), name)(options, in_channels, outputs)
    return network


def resolve(settings: Mapping[str, Any]) -> tuple[str, Options]:
    """Return the network's key in the registry and its validated options.

    Raises:
        StudyError: if no network has that name, or an option is unknown or out of range.
    """
    kind = str(settings.get("network", ""))
    model, _ = _known(kind)
    options = {key: value for key, value in settings.items() if key != "network"}
    return kind, validated(model, block(kind, options), (kind,), ())


def _known(kind: str) -> tuple[type[Options], str]:
    found = entry(kind)
    if found is None:
        raise StudyError(
            f"no network is called '{kind}'.{nearest(kind, REGISTERED)}",
            where="network",
            allowed=", ".join(REGISTERED),
            remedy="name one of these, or a class of an installed library as module:class, or add yours as "
            "docs/adding-a-network.md says",
        )
    return found
