"""Parameters, FLOPs and receptive fields of networks side by side: `python -m segstudy.models.compare --help`.

Without a config, every network of the registry as its defaults make it; with the config files of a study, its models.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from segstudy.config.load import load_study, read_config
from segstudy.config.networks import NETWORKS
from segstudy.config.study import auto_of
from segstudy.core.errors import StudyError
from segstudy.core.markup import markdown_text
from segstudy.core.terminal_text import say
from segstudy.models.cost import count_flops, count_parameters
from segstudy.models.layer_table import field_words
from segstudy.models.registry import resolve
from segstudy.models.unfilled import unfilled


def overview(
    models: Mapping[str, Mapping[str, Any]], in_channels: int, outputs: int, height: int, width: int
) -> pd.DataFrame:
    """Return one row for every model, a name and a block of a config's `models`.

    Columns: `model`, `network`, `options` (those that differ from the defaults), `parameters`, `gflops` (of one
    image's forward pass), `field` (height × width of the receptive field, or "whole image"; for a library's network
    "not measured").

    Raises:
        StudyError: if a model names no network or has unknown options.
    """
    return pd.DataFrame([_row(name, models[name], in_channels, outputs, height, width) for name in models])


def markdown(table: pd.DataFrame) -> str:
    """Return an overview as a Markdown table."""
    lines = ["| model | network | options | parameters | GFLOPs | receptive field |", "|---|---|---|---|---|---|"]
    for row in table.itertuples():
        cost = f"{row.parameters:,} | {row.gflops:.2f} | {row.field}"
        lines.append(f"| {row.model} | `{row.network}` | {markdown_text(row.options)} | {cost} |")
    return "\n".join(lines)


def registered() -> dict[str, dict[str, Any]]:
    """Return every network of the registry that needs no option, as its defaults make it."""
    return {
        kind: {"network": kind}
        for kind, (options, _) in NETWORKS.items()
        if not any(field.is_required() for field in options.model_fields.values())
    }


def _row(
    name: str, settings: Mapping[str, Any], in_channels: int, outputs: int, height: int, width: int
) -> dict[str, Any]:
    kind, options = resolve(settings)
    network = unfilled(settings, in_channels, outputs)  # numbers need no weights
    changed = options.model_dump(mode="json", exclude_defaults=True, exclude={"network"})
    return {
        "model": name,
        "network": kind,
        "options": ", ".join(f"{key}: {value}" for key, value in changed.items()),
        "parameters": count_parameters(network),
        "gflops": count_flops(network, in_channels, height, width) / 1e9,
        "field": field_words(settings, in_channels, outputs)[1],
    }


def main(arguments: Sequence[str]) -> None:
    """Print the overview of the networks that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m segstudy.models.compare", description=__doc__)
    parser.add_argument("config", nargs="*", help="config files of a study, as Snakemake takes them")
    parser.add_argument("--size", nargs=2, type=int, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--channels", type=int, default=1, help="of the image")
    parser.add_argument("--outputs", type=int, default=1, help="1 for one class, else classes and background")
    wanted = parser.parse_args(arguments)
    models = registered()
    if wanted.config:
        study = load_study(read_config(*wanted.config), wanted.config)
        models = {name: study.model_settings(name) for name in study.models if not auto_of(study.models[name].options)}
        models |= {
            f"{name} on {dataset}": study.model_settings(name, dataset)
            for dataset, name in dict.fromkeys((cell.dataset, cell.model) for cell in study.cells)
            if name not in models
        }
    say(markdown(overview(models, wanted.channels, wanted.outputs, *wanted.size)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (StudyError, OSError) as error:
        sys.exit(f"Error: {error}")
