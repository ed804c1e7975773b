"""Import torchvision beside a torch that it was not compiled for.

The wheel of torchvision that the package index serves is compiled for CUDA. Beside a CPU build of torch its compiled
part cannot be loaded, so the operators `torchvision::nms` and `torchvision::qnms` (non-maximum suppression, for object
detection) are never defined; and the import then fails, because torchvision registers further properties of them from
Python. No encoder and no segmentation network uses them: defining their schemas, without any computation behind, is
enough for torchvision, timm and segmentation_models_pytorch to import and run. Calling one would be an error, as it
should be.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

import torch

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
UNDEFINED = "operator torchvision::"


def make_importable() -> None:
    """Import torchvision; define what it misses if, and only if, its import needs that beside a CPU build of torch.

    Where torchvision is not installed nothing happens: whoever needs it says so.
    """
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if UNDEFINED not in str(error) or torch.version.cuda or torch.version.hip:
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]  # half imported
        for operator in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, operator):
                torch.library.define(f"torchvision::{operator}", SIGNATURE)
        importlib.import_module("torchvision")
