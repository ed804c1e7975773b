"""Find a class of an installed library by its path, and build it with the arguments of the config."""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from segstudy.config import library_paths
from segstudy.config.library_networks import LibraryOptions
from segstudy.config.library_paths import FETCHING, READING
from segstudy.core.errors import StudyError, first_line, nearest
from segstudy.models import library_targets
from segstudy.models.torchvision_import import make_importable

logger = logging.getLogger("segstudy")

# What libraries call the channels of an image and those of the logits; the first that a class has is taken.
CHANNELS_IN = (
    *("in_channels", "in_chans", "input_channels", "n_channels", "num_channels", "in_ch", "img_ch", "channels_in"),
)
CHANNELS_OUT = (
    *("out_channels", "classes", "num_classes", "n_classes", "nclass", "output_channels", "out_chans", "out_ch"),
    *("output_ch", "channels_out", "num_labels"),
)
# Medical libraries build networks for volumes unless told otherwise.
FLAT = {"spatial_dims": 2}
EXTRAS = {
    **dict.fromkeys(("segmentation_models_pytorch", "torchvision", "timm"), "encoders"),
    "monai": "monai",
}


def construct(options: LibraryOptions, in_channels: int, outputs: int) -> nn.Module:
    """Return the network that `options.network` names, its weights drawn as its class does it.

    Raises:
        StudyError: there is no such class, an argument that it does not know or that is missing, or it cannot be built.
    """
    target = find(options.network)
    arguments = _arguments(target, options, in_channels, outputs)
    logger.debug("%s(%s)", options.network, ", ".join(f"{name}={value!r}" for name, value in arguments.items()))
    try:
        network = target(**arguments)
    except (Exception, SystemExit) as error:  # a library that ends Python would end the job without a word
        raise StudyError(
            f"{options.network} cannot be built with these arguments ({type(error).__name__}: {first_line(error)})",
            where="the model's arguments",
            allowed=_described(target),
            remedy="see the library's page on this class",
        ) from error
    if not isinstance(network, nn.Module):
        raise StudyError(
            f"{options.network} is no network: it gives a {type(network).__name__}",
            where="the model's network",
            allowed=library_targets.ALLOWED,
        )
    return network


def find(path: str) -> Callable[..., Any]:
    """Return the network's class or function that stands at `module:name`, imported and not yet called.

    Raises:
        StudyError: the path leads elsewhere, the library is not installed, cannot be imported, or has nothing of that
            name; or what stands there is no network.
    """
    if why := library_paths.refusal(path):  # before the import, which runs the module
        raise StudyError(why, where="the model's network", allowed=library_targets.ALLOWED)
    module, _, name = path.partition(":")
    make_importable()
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        absent, package = error.name or module, module.partition(".")[0]
        own = f"{module}.".startswith(f"{absent}.")
        install = (
            f"pip install -c constraints.txt -e '.[{EXTRAS[absent]}]'"
            if absent in EXTRAS
            else f"pip install, for {absent}"
        )
        raise StudyError(
            f"there is no module {absent}" + ("" if own else f", which {module} needs"),
            where="the model's network",
            remedy=f"check the path: {package} is installed, and has no such module"
            if own and absent != package
            else f"install the package that brings it: {install}; a module of your own is looked for on PYTHONPATH",
        ) from error
    except (Exception, SystemExit) as error:
        raise StudyError(
            f"{module} cannot be imported ({type(error).__name__}: {first_line(error)})",
            where="the model's network",
            remedy=f"see whether python -c 'import {module}' works in this environment",
        ) from error
    if not hasattr(found, name):
        raise StudyError(
            f"{module} has nothing called '{name}'.{nearest(name, dir(found))}", where="the model's network"
        )
    target = getattr(found, name)
    if why := library_targets.refusal(target):
        raise StudyError(
            f"{path} is no network: {why}",
            where="the model's network",
            allowed=library_targets.ALLOWED,
            remedy="name the network's class, or write what the function returns: def name(...) -> torch.nn.Module",
        )
    network: Callable[..., Any] = target
    return network


def _arguments(target: Callable[..., Any], options: LibraryOptions, in_channels: int, outputs: int) -> dict[str, Any]:
    """Return all arguments to build with: those of the config, the channels, and those that fetch weights, off."""
    known = _signature(target)
    anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    names = [name for name, p in known.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    given = dict(options.arguments)
    for name in given:
        if name not in names and not anything:
            raise StudyError(
                f"{options.network} has no argument '{name}'.{nearest(name, names)}",
                where="the model's arguments",
                allowed=", ".join(names),
            )
    fixed = {name: value for name, value in FLAT.items() if name in names} | given
    fixed |= {name: False if known[name].default is False else None for name in FETCHING if name in names}
    fixed |= {name: None for name in READING if name in names and isinstance(known[name].default, str)}
    for asked, usual, channels in (
        (options.in_channels, CHANNELS_IN, in_channels),
        (options.outputs, CHANNELS_OUT, outputs),
    ):
        if asked and asked not in names and not anything:
            raise StudyError(
                f"{options.network} has no argument '{asked}'.{nearest(asked, names)}",
                where="the model's in_channels and outputs: names of arguments",
                allowed=", ".join(names),
            )
        # None of the usual names: the class has fixed channels, and a forward pass will show whether they fit.
        argument = asked or next((name for name in usual if name in names), "")
        if argument in given:
            raise StudyError(
                f"'{argument}' is set by the data set: {channels} here",
                where="the model's arguments",
                remedy="leave it out",
            )
        fixed |= {argument: channels} if argument else {}
    needed = [n for n in names if known[n].default is inspect.Parameter.empty and n not in fixed]
    if needed:
        raise StudyError(
            f"{options.network} needs more arguments: {', '.join(needed)}",
            where="the model's arguments",
            allowed=_described(target),
        )
    return fixed


def _signature(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target).parameters
    except ValueError as error:  # compiled functions have none
        raise StudyError(
            f"{getattr(target, '__name__', target)} does not say which arguments it takes, so it is no network",
            where="the model's network",
            allowed=library_targets.ALLOWED,
        ) from error


def _described(target: Callable[..., Any]) -> str:
    """Return the arguments with their defaults as text."""
    parameters = _signature(target).values()
    empty = inspect.Parameter.empty
    return ", ".join(p.name if p.default is empty else f"{p.name}={p.default!r}" for p in parameters)
