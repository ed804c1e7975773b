"""A device for which no hardware is needed: torch's meta device, strict about where tensors lie.

Tensors on it have shapes and no values. An operation between them and tensors of the CPU is an error, as it is on a
GPU. (torch itself lets some of them pass on the meta device.) What is read back from it is zero.
"""

from collections import Counter
from contextlib import contextmanager
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("meta")
aten = torch.ops.aten
real_autocast = torch.autocast
# What copies between devices, or takes indices of the CPU as a GPU does.
ACROSS = {aten._to_copy.default, aten.copy_.default, aten.index.Tensor, aten._index_put_impl_.default}


def autocast(device_type, *args, **kwargs):
    return real_autocast("cpu" if device_type == "meta" else device_type, *args, **kwargs)


class Generator(torch.Generator):
    def __new__(cls, device="cpu"):
        return super().__new__(cls, "cpu" if torch.device(device).type == "meta" else device)


@contextmanager
def strict_device():
    """Let code run on `DEVICE`; yield what counts its reads."""
    # torch has neither autocast nor generators for the meta device: those of the CPU stand in.
    with mock.patch("torch.autocast", autocast), mock.patch("torch.Generator", Generator), StrictDevice() as device:
        yield device


class StrictDevice(TorchDispatchMode):
    """Raise where tensors of two devices meet; count in `reads` where the host waits for a value, by operation."""

    def __init__(self):
        super().__init__()
        self.reads = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        on_device = any(x.is_meta for x in tensors)
        # A tensor of one number on the CPU is a number, on a GPU too.
        mixed = on_device and any(not x.is_meta and x.dim() for x in tensors)
        if mixed and operation not in ACROSS:
            raise AssertionError(f"{operation} of tensors on the CPU and on the device")
        if on_device and operation is aten._local_scalar_dense.default:
            self.reads["item"] += 1
            return 0.0 if tensors[0].is_floating_point() else 0
        if on_device and torch.is_inference_mode_enabled():  # operations arrive there before they are taken apart
            with self:
                if (result := operation.decompose(*args, **kwargs)) is not NotImplemented:
                    return result
        to_cpu = operation is aten._to_copy.default and kwargs.get("device") == torch.device("cpu")
        if on_device and to_cpu:
            self.reads["copy"] += 1
            return torch.zeros(tensors[0].shape, dtype=kwargs.get("dtype") or tensors[0].dtype)
        return operation(*args, **kwargs)
