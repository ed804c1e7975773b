"""The rows of a layer table, traced in a forward pass at a readable depth.

In the project's own networks the blocks say which of them is a row (`blocks.described`). A library's network is a tree
of modules, and a row for each of them would be unreadable: there a row is the largest module that works at the
resolutions of what it takes and puts out, and at no other. A stage of residual blocks is one row, and so is a block of
a decoder.
What a join takes from far back is seen by the tensor itself: it is the very one that an earlier row has put out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from segstudy.models.blocks import Stage
from segstudy.models.cost import count_parameters, dry_run

FEW, MANY = 8, 40  # rows of a table: with fewer, rows are opened further, up to this many
# Layers that change values and nothing else: said in the row of the layer before.
ATTACHED = ("activation", "batchnorm", "instancenorm", "normalization", "dropout")
WORDS = {
    "BatchNorm2d": "batch norm",
    "InstanceNorm2d": "instance norm",
    "GroupNorm": "group norm",
    "Dropout": "dropout",
    "Dropout2d": "dropout",
    "MaxPool2d": "max-pooling",
    "AvgPool2d": "average pooling",
    "AdaptiveAvgPool2d": "average of the whole image",
}


@dataclass
class Call:
    """One module's run in the forward pass: what it took and put out, and the calls made within it."""

    name: str
    module: nn.Module
    taken: list[Tensor] = field(default_factory=list)
    given: Tensor | None = None
    tokens: bool = False  # puts out a tensor that is no feature map: a transformer's block
    inner: list[Call] = field(default_factory=list)


def observed_stages(network: nn.Module, in_channels: int, height: int, width: int) -> list[Stage]:
    """Return the rows of a network's layer table for one image of height x width, as a forward pass shows them.

    The parameters of all rows add up to the network's: those that no row shows stand in a last but one, `elsewhere`.
    A copy is run, without values where it is large (see `cost.dry_run`).
    """

    def run(copied: nn.Module, device: torch.device) -> list[Stage]:
        root = _record(copied.eval(), torch.zeros(1, in_channels, height, width, device=device))
        return _stages(_open_further(list(_rows(root.inner))), height, width)

    stages = dry_run(network, run, height * width)
    rest = count_parameters(network) - sum(stage.parameters for stage in stages)
    if rest:
        stages.insert(-1, Stage("elsewhere", "other", "weights outside of these layers", *stages[-1][3:6], rest))
    return stages


def _record(network: nn.Module, image: Tensor) -> Call:
    """Run the network once; return the tree of its calls."""
    root = Call("", network)
    stack = [root]

    def enter(name: str, module: nn.Module, arguments: Any, named: Any) -> None:
        call = Call(name, module, list(_maps((*arguments, *named.values()))))
        stack[-1].inner.append(call)
        stack.append(call)

    def leave(output: Any) -> None:
        call = stack.pop()
        call.tokens = isinstance(output, Tensor) and output.dim() != 4
        call.given = output if isinstance(output, Tensor) and not call.tokens else None

    hooks = []
    for name, module in network.named_modules():
        if name:
            hooks.append(
                module.register_forward_pre_hook(
                    lambda module, arguments, named, name=name: enter(name, module, arguments, named), with_kwargs=True
                )
            )
            hooks.append(module.register_forward_hook(lambda module, arguments, output: leave(output)))
    try:
        with torch.no_grad():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return root


def _maps(values: Iterable[Any]) -> Iterator[Tensor]:
    """Yield every feature map among the arguments of a call, those in lists too."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from _maps(value)
        elif isinstance(value, Tensor) and value.dim() == 4:
            yield value


def _rows(calls: Iterable[Call]) -> Iterator[Call]:
    """Yield the largest calls that work at the resolutions of what they take (first) and put out, in their order."""
    for call in calls:
        if _described(call):
            yield call
            continue
        if any(map(_described, _within(call))):
            yield from _rows(call.inner)
            continue
        ends = {_size(maps) for maps in (*call.taken[:1], call.given) if maps is not None}
        if call.tokens or (call.given is not None and _sizes(call) <= ends):
            yield call
        else:
            yield from _rows(call.inner)


def _described(call: Call) -> bool:
    """Return whether a block of the project says itself that it is a row, or hands on what a row has put out."""
    return hasattr(call.module, "layer_kind") or hasattr(call.module, "layer_passes_on")


def _within(call: Call) -> Iterator[Call]:
    for inner in call.inner:
        yield inner
        yield from _within(inner)


def _sizes(call: Call) -> set[tuple[int, int]]:
    """Return the resolutions of all feature maps put out within a call; one pixel (channel attention) is none."""
    found = {_size(call.given)} if call.given is not None else set()
    for inner in call.inner:
        found |= set() if inner.tokens else _sizes(inner)
    return {size for size in found if size != (1, 1)}


def _size(maps: Tensor) -> tuple[int, int]:
    return int(maps.shape[-2]), int(maps.shape[-1])


def _open_further(rows: list[Call]) -> list[Call]:
    """Open rows into what they are made of while they are few: a network of one resolution would be one row."""
    while len(rows) < FEW:
        opened = [part for row in rows for part in ((not _described(row) and _parts(row)) or [row])]
        if opened == rows or len(opened) > MANY:
            break
        rows = opened
    return rows


def _parts(call: Call) -> list[Call]:
    """Return the calls that put out a feature map within a call, if they hold all of its weights."""
    parts = [part for part in call.inner if part.given is not None]
    whole = sum(count_parameters(part.module) for part in parts) == count_parameters(call.module)
    return parts if whole else []


def _stages(rows: list[Call], height: int, width: int) -> list[Stage]:
    stages: list[Stage] = []
    made: dict[int, str] = {}  # the tensor that a row has put out -> the row; all tensors live until the end
    counted: set[int] = set()
    before = (height, width)
    for call in rows:
        last = stages[-1] if stages else None
        if hasattr(call.module, "layer_passes_on"):
            made[id(call.given)] = made[id(call.taken[0])]
            continue
        if last and not _described(call) and (call.given is None or _attached(call, last)):
            stages[-1] = _joined(last, _words(call.module), _new(call, counted))
            made[id(call.given)] = last.name
            continue
        if call.given is None:
            continue
        size, channels = _size(call.given), int(call.given.shape[1])
        kind = "up" if size > before else "down" if size < before else "conv"
        kind = getattr(call.module, "layer_kind", kind)
        latest = last.name if last else ""
        sources = [made[id(maps)] for maps in call.taken if made.get(id(maps), latest) != latest]
        source = sources[-1] if sources and kind != "output" else ""
        name = _free(call.name, stages)
        operation = _words(call.module)
        if _described(call):
            operation = operation.format(height=height, width=width)
        elif kind in ("up", "down") and next(call.module.children(), None) is not None:
            operation += f", size {'×' if kind == 'up' else '÷'} {round(max(size[0] / before[0], before[0] / size[0]))}"
        if operation == "image" and size != (height, width):
            operation = f"image, padded from {height} × {width}"
        if kind == "output" and size != before:
            operation = "logits, cropped to the image"
        stages.append(Stage(name, kind, operation, channels, *size, _new(call, counted), source))
        made[id(call.given)] = name
        before = size
    if len(stages) > 1 and stages[-2].kind == "conv":
        stages[-2] = stages[-2]._replace(kind="head")
    return stages


def _joined(last: Stage, words: str, parameters: int) -> Stage:
    """Return a row to which a layer was added that changes its values only."""
    said = last.operation if not words or words in last.operation else f"{last.operation} + {words}"
    return last._replace(operation=said, parameters=last.parameters + parameters)


def _attached(call: Call, last: Stage) -> bool:
    """Return whether a call only changes the values of the row before it."""
    kind = type(call.module)
    assert call.given is not None
    shape = call.given.shape[1:]
    if not _words(call.module):
        return shape == last[3:6]
    plain = f"{kind.__module__}.{kind.__name__}".startswith(tuple(f"torch.nn.modules.{part}" for part in ATTACHED))
    return plain and last.kind != "input" and shape == last[3:6]


def _new(call: Call, counted: set[int]) -> int:
    """Return the number of a call's weights that no earlier row has counted."""
    new = [p for p in call.module.parameters() if p.requires_grad and id(p) not in counted]
    counted |= {id(p) for p in new}
    return sum(p.numel() for p in new)


def _free(name: str, stages: list[Stage]) -> str:
    """Return the name of a row: a module that runs again gets a number."""
    taken = {stage.name for stage in stages}
    again = (f"{name} ({count})" for count in range(2, len(stages) + 3))
    return name if name not in taken else next(other for other in again if other not in taken)


def _words(module: nn.Module) -> str:
    """Return what a module does, in words: its class, and the size and stride of a convolution; '' for nothing."""
    if said := getattr(module, "layer_words", ""):
        return str(said)
    name = type(module).__name__
    if isinstance(module, nn.Identity):
        return ""
    parts = [_words(part) for part in module.children()]
    if parts and not any(parts) and not any(True for _ in module.parameters()):
        return ""  # a wrapper of nothing, such as an activation that is not asked for
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        kernel, stride = module.kernel_size, module.stride
        kind = "transposed convolution" if isinstance(module, nn.ConvTranspose2d) else "convolution"
        dilated = f", dilation {module.dilation[0]}" if module.dilation[0] > 1 else ""
        return f"{kernel[0]}×{kernel[1]} {kind}" + (f", stride {stride[0]}" if stride[0] > 1 else "") + dilated
    if isinstance(module, nn.Upsample):
        return f"{module.mode} upsampling"
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        size = module.kernel_size
        return "×".join(map(str, size if isinstance(size, tuple) else (size, size))) + f" {WORDS[name]}"
    if isinstance(module, nn.Sequential) and parts:
        said = list(filter(None, parts))
        kinds = list(dict.fromkeys(said))
        several = f"({kinds[0]})" if " + " in kinds[0] else kinds[0]
        return f"{len(said)} × {several}" if len(kinds) == 1 < len(said) else " + ".join(kinds)
    return WORDS.get(name, name)
