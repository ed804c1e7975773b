"""Which dotted paths and arguments of a library's network are accepted, told from their text: nothing is imported.

A path leads to an import and a call, and it may come from a file that somebody else made. So the libraries that the
project names are open only where their networks are defined, Python's own modules are closed, and arguments are plain
values: a network that reads a file or an address while it is built could not be rebuilt from its model file, and what
such a file holds may be code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from segstudy.core.errors import nearest

# module:name, as Python writes them; what stands there is looked up when the network is built.
TARGET = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
# Libraries and the modules of theirs that define networks. Beside them lie functions that fetch files, unpickle them or
# run source text, some of which say that they return a network (torch.fx.graph_module:reduce_graph_module).
NETWORKS_OF = {
    "segmentation_models_pytorch": r"segmentation_models_pytorch(\.decoders(\.\w+)*)?",
    "monai": r"monai\.networks\.nets(\.\w+)*",
    "torchvision": r"torchvision\.models(\.\w+)*",
    "timm": r"timm(\.models(\.\w+)*)?",
}
HOMES = ("segmentation_models_pytorch", "monai.networks.nets", "torchvision.models", "timm.models")
CLOSED = ("torch", "functorch", "torchgen", "segstudy")  # their networks have keys, or are layers
# Arguments that fetch weights when a network is built. A model file has to be read without them, and a compute node
# has no internet: they are always off.
FETCHING = ("encoder_weights", "weights", "weights_backbone", "pretrained", "pretrained_backbone", "pretrained_encoder")
# Arguments that say where weights lie, or how they are read.
READING = (
    *("pretrained_cfg", "pretrained_cfg_overlay", "pretrained_custom_load", "pretrained_path", "pretrained_url"),
    *("checkpoint", "checkpoint_path", "ckpt_path", "model_path", "weights_path", "cache_dir"),
)
FILES = r"pt|pt2|pth|pth\.tar|ckpt|th|bin|pkl|pickle|safetensors|onnx|npy|npz|h5|tar|gz|zip|json|ya?ml|toml|py|so"
# A file or an address: a slash, a colon (hf-hub:, https:, C:), a home folder, or the end of a file's name.
PLACE = re.compile(rf"[/\\:]|^~|^\.|\.({FILES})$", re.IGNORECASE)


def package_of(path: str) -> str:
    """Return the package of a dotted path `package.module:name`."""
    return path.partition(":")[0].partition(".")[0]


def of_libraries(path: str) -> bool:
    """Return whether a path leads into one of the libraries whose networks need nobody's word."""
    return package_of(path) in NETWORKS_OF


def closed(module: str) -> str:
    """Return why a module (dotted name) defines no network that may be named; '' if it may.

    Asked of the module in a path, before it is imported, and of the one that defines what was found there.
    """
    package = module.partition(".")[0]
    if package in NETWORKS_OF and not re.fullmatch(NETWORKS_OF[package], module):
        return f"of {package} only networks can be named, and {module} has none.{nearest(module, HOMES)}"
    if package in sys.stdlib_module_names or package in CLOSED or package == "builtins":
        return f"{package} defines no networks for studies"
    if re.search(r"(^|\.)__\w+__(\.|$)", module):
        return f"{module} is a program"
    return ""


def refusal(path: str) -> str:
    """Return why a path cannot be a network's, told from its text; '' if it can."""
    if not re.fullmatch(TARGET, path):
        return f"'{path}' is no path of a class: write module:class, such as monai.networks.nets:AttentionUnet"
    module, _, name = path.partition(":")
    why = closed(module)
    if not why and of_libraries(path) and name.startswith("_"):
        why = f"{name} is private to {module}"
    return f"'{path}' is no network: {why}" if why else ""


def places_in(value: Any, name: str = "") -> Iterator[str]:
    """Yield, by name, what in the arguments of a network is a file, an address, or weights to be read from one."""
    last = name.rpartition(".")[2]
    if (last in FETCHING and value not in (None, False)) or (last in READING and not isinstance(value, bool | None)):
        yield f"'{name}' would fetch weights from the internet, or from a file, each time the network is built"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from places_in(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from places_in(item, name)
    elif isinstance(value, str) and PLACE.search(value):
        yield f"'{name}' is a file or an address: {value[:80]!r}"
